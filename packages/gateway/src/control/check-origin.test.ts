import { expect, test } from 'vitest'
import { OriginCheck } from './check-origin.ts'

const origins = new OriginCheck('https://gateway.test:8443')

test.each([
  ['gateway.test', undefined],
  ['GATEWAY.test:8443', undefined],
  ['gateway.test:8443', 'https://gateway.test:8443'],
  ['localhost:7400', 'http://localhost:7400'],
  ['127.0.0.1:7400', 'http://127.0.0.1:7400'],
  ['[::1]:7400', 'http://[::1]:7400'],
  ['10.1.2.3:7400', undefined],
  ['10.1.2.3:7400', 'https://gateway.test:8443'],
])('Host %s with Origin %s is served', (host, origin) => {
  expect(() => origins.check(host, origin)).not.toThrow()
})

test.each([
  [undefined, undefined, 421],
  ['', undefined, 421],
  ['attacker.test:7400', undefined, 421],
  ['localhost.attacker.test', undefined, 421],
  ['gateway.test@attacker.test', undefined, 421],
  ['127.0.0.1.attacker.test', undefined, 421],
  ['gateway.test', 'https://attacker.test', 403],
  ['gateway.test', 'null', 403],
  ['gateway.test', 'http://gateway.test:8443', 403],
  ['localhost:7400', 'http://localhost:3000', 403],
  ['10.1.2.3:7400', 'http://10.1.2.3:7400', 403],
])('Host %s with Origin %s is refused with %i', (host, origin, status) => {
  expect(() => origins.check(host, origin)).toThrow(expect.objectContaining({ status }))
})
