/** What the name of a column says of its values, in the languages that schemas are written in. */
interface NameRule {
  readonly class: string
  /** On the name as `_word_word_`, lower-cased. */
  readonly name: RegExp
  /** Types that such a value can have; others only share the name (`phone_verified boolean`). */
  readonly types: 'text' | 'text or number' | 'text or date' | 'number' | 'text or inet'
  /** Only in tables whose name says that they are about people. */
  readonly aboutPeople?: true
}

/** In order: the first that fits counts. */
const RULES: readonly NameRule[] = [
  // What looks like one of the below and is not.
  rule(
    '',
    /_(?:last_?4|last_?four|verified|confirmed|count|is|has|hash_?algorithm|type|status|template|format|domain)_/,
    'text or number',
  ),
  rule(
    'secret.password',
    /_(?:pass(?:wd|word|wort|phrase|code)?|pwd|kennwort|contrasena|senha|mot_de_passe|wachtwoord)(?:_|hash_|digest_)/,
  ),
  rule(
    'secret.key',
    /_(?:private_key|priv_key|secret_key|api_?key|signing_key|encryption_key|ssh_key|access_key|client_secret|secret|schluessel|clave_privada)_/,
  ),
  rule(
    'secret.token',
    /_(?:tokens?|jwt|bearer|session_id|refresh_token|access_token|otp|totp|mfa|recovery_codes?)_/,
  ),
  rule('pci.cvv', /_(?:cvv2?|cvc2?|csc|security_code)_/, 'text or number'),
  rule(
    'pci.card',
    /_(?:(?:credit_?|debit_?|payment_?)?card_?(?:no|num|number|nr)|cc_?(?:no|num|number)|creditcard|pan|kartennummer|kreditkarte|numero_(?:de_)?(?:tarjeta|carte|cartao)|kaartnummer)_/,
    'text or number',
  ),
  rule('pci.iban', /_(?:iban|bban)_/),
  rule(
    'pci.account',
    /_(?:(?:bank_?)?account_?(?:no|num|number|nr)|routing_?(?:no|number)|sort_code|kontonummer|konto_nr|bankverbindung|numero_(?:de_)?(?:cuenta|compte|conta|conto)|rekeningnummer|swift|bic)_/,
    'text or number',
  ),
  rule(
    'pii.ssn',
    /_(?:ssn|social_security(?:_no|_number)?|ss_?number|sozialversicherungs_?nummer|svnr)_/,
    'text or number',
  ),
  rule(
    'pii.national-id',
    /_(?:national_id(?:_number)?|nin|nino|bsn|nir|insee|dni|nie|pesel|cpf|curp|rut|aadhaar|aadhar|nhs(?:_no|_number)?|personnummer|hetu|codice_fiscale|ausweis(?:_?nummer)?|id_card(?:_no|_number)?|citizen_id|burgerservicenummer|sin|ahv(?:_nummer)?)_/,
    'text or number',
  ),
  rule(
    'pii.tax-id',
    /_(?:tax_?id(?:_number)?|tin|itin|ein|steuer_?(?:id|nummer|nr)|vat_?id|tfn|nif|partita_iva|btw_nummer)_/,
    'text or number',
  ),
  rule(
    'pii.passport',
    /_(?:passport(?:_?no|_?num|_?number)?|reisepass(?:_?nummer|_?nr)?|pasaporte|passeport|paspoort(?:nummer)?)_/,
  ),
  rule(
    'pii.driver-license',
    /_(?:driv(?:er|ers|ing)_?licen[cs]e(?:_?no|_?number)?|dl_?(?:no|num|number)|fuehrerschein(?:_?nr|_?nummer)?|permis_(?:de_)?conduire)_/,
  ),
  rule(
    'pii.email',
    /_(?:e_?mails?|email_?addr(?:ess)?|mail_?addr(?:ess)?|e_?mail_?adresse|correo(?:_electronico)?|courriel|mail)_/,
  ),
  rule(
    'pii.phone',
    /_(?:phones?(?:_?no|_?num|_?number)?|telephone|tele?fon(?:_?nummer|_?nr)?|tel|mobile(?:_?no|_?number)?|mobil(?:_?nummer)?|handy(?:_?nr|_?nummer)?|cell(?:_?phone)?|fax(?:_?no|_?number)?|msisdn|telefono|celular|movil|portable|telefoon(?:nummer)?|whatsapp)_/,
    'text or number',
  ),
  rule(
    'pii.birthdate',
    /_(?:birth_?(?:date|day)|date_?of_?birth|dob|born(?:_on|_at)?|geb(?:urts)?_?(?:datum|tag)|geboren(?:_am)?|date_?(?:de_)?naissance|fecha_?(?:de_)?nac(?:imiento)?|data_?(?:de_|di_)?nasci(?:mento|ta)|geboorte_?datum)_/,
    'text or date',
  ),
  rule('pii.gender', /_(?:gender|sex|geschlecht|sexe|sexo|genero|sesso|geslacht)_/, 'text or number'),
  rule(
    'pii.health',
    /_(?:diagnos[ei]s|icd_?(?:9|10|11)?(?:_code)?|blood_?(?:type|group)|allerg(?:y|ies)|medications?|krankheit|befund|disability|religion|ethnicity|race|sexual_orientation|political_(?:party|opinion))_/,
  ),
  rule(
    'hr.salary',
    /_(?:salar(?:y|ies)|wages?|compensation|base_?pay|gross_?pay|net_?pay|bonus|annual_?income|income|gehalt|lohn|salaire|sueldo|salario|stipendio|loon|salaris)_/,
    'number',
  ),
  rule(
    'pii.name',
    /_(?:first_?names?|last_?names?|middle_?names?|full_?names?|given_?names?|sur_?names?|family_?names?|maiden_?name|display_?name|real_?name|contact_?name|customer_?name|employee_?name|patient_?name|card_?holder(?:_?name)?|account_?holder|vorname|nachname|familienname|geburtsname|ansprechpartner|prenom|nom_de_famille|apellidos?|nombres?|sobrenome|cognome|voornaam|achternaam)_/,
  ),
  rule('pii.name', /_(?:name|nom|nome|naam|nombre)_/, 'text', true),
  rule(
    'pii.address',
    /_(?:(?:home_|street_|postal_|mailing_|billing_|shipping_|delivery_)?addr(?:ess)?(?:_?line)?_?[1-4]?|street(?:_?name|_?address)?|strasse|hausnummer|house_?(?:no|number)|anschrift|adresse|direccion|domicilio|endereco|indirizzo|rue|calle|zip(?:_?code)?|post(?:al)?_?code|plz|postleitzahl|code_?postal|codigo_?postal|cep|cap)_/,
    'text or number',
  ),
  rule(
    'pii.location',
    /_(?:lat(?:itude)?|lon(?:gitude)?|lng|geo(?:_?location|_?point)?|gps(?:_?position)?|coordinates)_/,
    'text or number',
    true,
  ),
  rule(
    'pii.ip',
    /_(?:ip(?:_?addr(?:ess)?|v4|v6)?|remote_?addr(?:ess)?|client_?ip|source_?ip|last_?(?:login_?)?ip)_/,
    'text or inet',
  ),
]

const ABOUT_PEOPLE =
  /_(?:customers?|users?|people|persons?|employees?|staff|contacts?|patients?|clients?|members?|subscribers?|leads?|accounts?_?holders?|students?|teachers?|authors?|guests?|drivers?|candidates?|applicants?|profiles?|kunden?|nutzer|benutzer|mitarbeiter|personen|patienten|clientes?|usuarios?|empleados?|utilisateurs?|employes?|personnes|utenti|dipendenti|klanten|gebruikers|medewerkers)_/

/** The class that a column's name and type speak for; undefined when they speak for none. */
export function classByName(table: string, column: string, type: string): string | undefined {
  const name = words(column)
  const found = RULES.find(
    ({ name: pattern, types, aboutPeople }) =>
      pattern.test(name) && fits(type, types) && (aboutPeople !== true || ABOUT_PEOPLE.test(words(table))),
  )
  return found?.class === '' ? undefined : found?.class
}

function rule(
  className: string,
  name: RegExp,
  types: NameRule['types'] = 'text',
  aboutPeople?: true,
): NameRule {
  return { class: className, name, types, ...(aboutPeople === undefined ? {} : { aboutPeople }) }
}

/** `emailAddress`, `E-Mail Address`, `EMAIL_ADDRESS` → `_email_address_`; umlauts and accents as they are written without. */
function words(name: string): string {
  const plain = name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replaceAll('ä', 'ae')
    .replaceAll('ö', 'oe')
    .replaceAll('ü', 'ue')
    .replaceAll('ß', 'ss')
    .normalize('NFD')
    .replaceAll(/\p{M}/gu, '')
  return `_${plain.split(/[^\p{L}\p{N}]+/u).join('_')}_`
}

function fits(type: string, types: NameRule['types']): boolean {
  const base = type.toLowerCase().replace(/\(.*|\[\]$/g, '')
  const isText =
    /^(?:text|character varying|varchar|character|char|bpchar|citext|name|jsonb?|bytea|uuid)$/.test(
      base.trim(),
    )
  if (isText) return types !== 'number'
  if (/^(?:smallint|integer|bigint|numeric|decimal|real|double precision|money)$/.test(base.trim()))
    return types === 'number' || types === 'text or number'
  if (/^(?:date|timestamp)/.test(base)) return types === 'text or date'
  return /^(?:inet|cidr)$/.test(base) && types === 'text or inet'
}
