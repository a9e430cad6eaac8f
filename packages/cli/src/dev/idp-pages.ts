import { PERSONAS } from './idp-personas.ts'

/** Everything is on the page itself, and nobody may put it in a frame and have it clicked. */
export const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
} as const

const STYLE = `body{font:16px/1.5 system-ui,sans-serif;margin:0;color:#1d2433;background:#f5f6f8}
.banner{background:#b42318;color:#fff;padding:1rem;text-align:center;font-weight:700;font-size:1.25rem}
main{max-width:30rem;margin:2rem auto;padding:0 1rem}
button{display:block;width:100%;margin:.5rem 0;padding:.75rem 1rem;text-align:left;font:inherit;cursor:pointer;
background:#fff;border:1px solid #c5cad3;border-radius:.5rem}button:hover,button:focus{border-color:#1d2433}
input[type=text]{font:inherit;font-size:1.5rem;width:100%;box-sizing:border-box;padding:.5rem;text-transform:uppercase}
small{color:#566074}`

/** A page under the banner. `body` is HTML; everything in it that is not ours must have gone through `escaped`. */
export function page(title: string, body: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>${escaped(title)}</title>
<style>${STYLE}</style></head><body>
<div class="banner" role="alert">Development only: no passwords here. Anybody on this machine can be anybody.</div>
<main><h1>${escaped(title)}</h1>${body}</main></body></html>`
}

/** Who do you want to be? Posts `persona` to `action`. */
export function chooserPage(client: string, action: string): string {
  const buttons = PERSONAS.filter(({ kind }) => kind === 'person').map(
    ({ name, fullName, groups }) =>
      `<button name="persona" value="${escaped(name)}"><strong>${escaped(fullName)}</strong>
<br><small>${escaped(name)}, ${escaped(groups.join(', '))}</small></button>`,
  )
  return page(
    'Who are you?',
    `<p><strong>${escaped(client)}</strong> asks for a token.</p>
<form method="post" action="${escaped(action)}">${buttons.join('')}</form>`,
  )
}

/** Text as it may stand in HTML, in an attribute too. */
export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
