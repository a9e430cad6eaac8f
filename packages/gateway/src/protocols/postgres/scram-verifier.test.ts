import { expect, test } from 'vitest'
import { Secret } from '../../access/secret.ts'
import { scramVerifier } from './scram-verifier.ts'

// RFC 7677 §3: the salt and the 4096 iterations of its example for the password "pencil".
const RFC_SALT = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')

test('makes what PostgreSQL would have made of the same password', () => {
  expect(scramVerifier(new Secret('pencil'), { iterations: 4096, salt: RFC_SALT })).toBe(
    'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:' +
      'wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
  )
})

test('takes one iteration and a new salt each time', () => {
  const made = [1, 2].map(() => scramVerifier(new Secret('secret')))
  expect(new Set(made).size).toBe(2)
  for (const verifier of made) {
    expect(verifier).toMatch(/^SCRAM-SHA-256\$1:[A-Za-z0-9+/]{22}==\$[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=$/)
  }
})
