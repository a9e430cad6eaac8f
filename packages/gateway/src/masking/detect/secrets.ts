import type { Detector, Span } from './span.ts'

interface SecretRule {
  readonly rule: string
  /** One of these stands in every match: looked for first, since that is cheap. */
  readonly hints: readonly string[]
  readonly format: RegExp
}

/** Formats of credentials, as their issuers document them. */
const RULES: readonly SecretRule[] = [
  rule('aws-access-key-id', ['AKIA', 'ASIA', 'ABIA', 'ACCA'], /(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}/),
  rule('gcp-api-key', ['AIza'], /AIza[\w-]{35}/),
  rule('google-oauth-secret', ['GOCSPX-'], /GOCSPX-[\w-]{28}/),
  rule('google-oauth-token', ['ya29.'], /ya29\.[\w-]{20,400}/),
  rule('azure-storage-key', ['AccountKey='], /(?<=AccountKey=)[A-Za-z0-9+/]{86}==/),
  rule('azure-client-secret', ['Q~'], /[A-Za-z0-9~_.-]{3}\dQ~[A-Za-z0-9~_.-]{31,34}/),
  rule('github-token', ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_'], /gh[pousr]_[A-Za-z0-9]{36,251}/),
  rule('github-fine-grained-token', ['github_pat_'], /github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}/),
  rule('gitlab-token', ['glpat-', 'glrt-', 'gldt-', 'glsoat-'], /gl(?:pat|rt|dt|soat)-[\w-]{20,100}/),
  rule('slack-token', ['xox', 'xapp-'], /(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{10,250}/),
  rule(
    'slack-webhook',
    ['hooks.slack.com'],
    /hooks\.slack\.com\/(?:services|workflows)\/[A-Za-z0-9+/]{30,100}/,
  ),
  rule('stripe-key', ['k_live_', 'k_test_'], /[sr]k_(?:live|test)_[A-Za-z0-9]{16,247}/),
  rule('stripe-webhook-secret', ['whsec_'], /whsec_[A-Za-z0-9+/=]{24,100}/),
  rule('anthropic-key', ['sk-ant-'], /sk-ant-[\w-]{20,200}/),
  rule('openai-key', ['sk-'], /sk-(?:proj-|svcacct-|admin-)?[\w-]{32,200}/),
  rule('huggingface-token', ['hf_'], /hf_[A-Za-z0-9]{34}/),
  rule('npm-token', ['npm_'], /npm_[A-Za-z0-9]{36}/),
  rule('pypi-token', ['pypi-AgE'], /pypi-AgE[\w-]{50,1000}/),
  rule('rubygems-key', ['rubygems_'], /rubygems_[a-f0-9]{48}/),
  rule('docker-token', ['dckr_'], /dckr_(?:pat|oat)_[\w-]{27,60}/),
  rule('digitalocean-token', ['dop_v1_', 'doo_v1_', 'dor_v1_'], /do[por]_v1_[a-f0-9]{64}/),
  rule('shopify-token', ['shp'], /shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}/),
  rule('square-token', ['sq0', 'EAAA'], /(?:sq0(?:atp|csp|idp)-[\w-]{22,60}|EAAA[\w-]{60})/),
  rule('twilio-key', ['SK', 'AC'], /(?:SK|AC)[a-f0-9]{32}/),
  rule('sendgrid-key', ['SG.'], /SG\.[\w-]{22}\.[\w-]{43}/),
  rule('mailgun-key', ['key-'], /key-[a-f0-9]{32}/),
  rule('mailchimp-key', ['-us'], /[a-f0-9]{32}-us\d{1,2}/),
  rule('telegram-bot-token', [':AA'], /\d{8,10}:AA[\w-]{33}/),
  rule('discord-token', ['.'], /[MNO][A-Za-z\d_-]{23,25}\.[\w-]{6}\.[\w-]{27,38}/),
  rule('databricks-token', ['dapi'], /dapi[a-f0-9]{32}(?:-\d)?/),
  rule('hashicorp-vault-token', ['hvs.', 'hvb.', 'hvr.'], /hv[sbr]\.[\w-]{24,300}/),
  rule('terraform-token', ['.atlasv1.'], /[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{60,70}/),
  rule(
    'grafana-token',
    ['glsa_', 'glc_'],
    /(?:glsa_[A-Za-z0-9]{32}_[a-f0-9]{8}|glc_[A-Za-z0-9+/]{32,400}={0,2})/,
  ),
  rule('newrelic-key', ['NRAK-'], /NRAK-[A-Z0-9]{27}/),
  rule('sentry-token', ['sntrys_', 'sntryu_'], /sntry[su]_[\w+/=-]{40,300}/),
  rule('atlassian-token', ['ATATT3'], /ATATT3[\w=-]{100,250}/),
  rule('linear-key', ['lin_api_'], /lin_api_[A-Za-z0-9]{40}/),
  rule('notion-token', ['secret_', 'ntn_'], /(?:secret_[A-Za-z0-9]{43}|ntn_[A-Za-z0-9]{40,60})/),
  rule('supabase-key', ['sbp_', 'sb_secret_'], /(?:sbp_[a-f0-9]{40}|sb_secret_[\w-]{20,60})/),
  rule('age-secret-key', ['AGE-SECRET-KEY-'], /AGE-SECRET-KEY-1[0-9A-Z]{58}/),
]

// RFC 7519: header and claims are JSON objects, so that both begin with base64url of `{"`. The signature may be missing.
// More than 8 KB is not let through as a header by web servers.
const JWT = /(?<![\w-])eyJ[\w-]{8,4096}\.eyJ[\w-]{8,8192}\.[\w-]{0,1024}(?![\w-])/g

/** `user:password@` in a URL (RFC 3986 §3.2.1). */
const URL_PASSWORD = /(?<=:\/\/[^\s/:@]{0,64}:)[^\s/@]{1,128}(?=@[\w.[-])/g

/** What is given a name that says secret. Words and placeholders are not meant. */
const NAMED =
  /(?<=(?:api[_-]?key|apikey|secret[_-]?(?:access[_-]?)?key|client[_-]?secret|auth[_-]?token|access[_-]?token|password|passwd|secret)["']?\s{0,3}(?:=>|[:=])\s{0,3}["']?)[\w+/=.~!@#$%^&*-]{8,256}/gi

/** Keys of services, by their format; tokens; passwords in URLs; and what is assigned to a name that says secret. */
export const apiKeyDetector: Detector = {
  entities: ['api-key', 'jwt'],
  reach: 'tokens',
  find: (text) => {
    const spans: Span[] = []
    for (const { rule, hints, format } of RULES) {
      if (!hints.some((hint) => text.includes(hint))) continue
      for (const { 0: found, index } of text.matchAll(format)) {
        spans.push({ entity: 'api-key', rule, start: index, end: index + found.length, score: 1 })
      }
    }
    if (text.includes('eyJ')) {
      for (const { 0: found, index } of text.matchAll(JWT)) {
        spans.push({ entity: 'jwt', start: index, end: index + found.length, score: 1 })
      }
    }
    if (text.includes('://') && text.includes('@')) {
      for (const { 0: found, index } of text.matchAll(URL_PASSWORD)) {
        spans.push({
          entity: 'api-key',
          rule: 'url-password',
          start: index,
          end: index + found.length,
          score: 1,
        })
      }
    }
    if (/key|token|secret|passw/i.test(text)) {
      for (const { 0: found, index } of text.matchAll(NAMED)) {
        if (!isRandom(found)) continue
        spans.push({
          entity: 'api-key',
          rule: 'named-secret',
          start: index,
          end: index + found.length,
          score: 0.7,
        })
      }
    }
    return spans
  },
}

function rule(name: string, hints: readonly string[], format: RegExp): SecretRule {
  return { rule: name, hints, format: new RegExp(`(?<![A-Za-z0-9])(?:${format.source})(?![A-Za-z0-9])`, 'g') }
}

/** Two kinds of characters at least, and as varied as what is drawn by lot: "changeme", "process.env.KEY" are not. */
function isRandom(text: string): boolean {
  const kinds = [/[a-z]/, /[A-Z]/, /\d/, /[^A-Za-z0-9.]/].filter((kind) => kind.test(text)).length
  const isCode = /^[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)+$/.test(text)
  return kinds >= 2 && !isCode && entropy(text) >= (text.length >= 20 ? 3.2 : 2.5)
}

/** Shannon's, in bits per character. */
function entropy(text: string): number {
  const counts = new Map<string, number>()
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1)
  let sum = 0
  for (const count of counts.values()) sum -= (count / text.length) * Math.log2(count / text.length)
  return sum
}
