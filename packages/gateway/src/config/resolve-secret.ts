import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { Secret } from '../access/secret.ts'

type SecretReference = { readonly env: string } | { readonly file: string }

/** Nobody's password is longer; a device or a log file given by mistake is. */
const MAX_SECRET_CHARS = 64 * 1024

/**
 * Fetches the secrets that resources refer to. Files are relative to `folder`, a last line break in them does not count.
 * The message of what it throws names the variable or the file, and nothing of what is in it.
 */
export function secretResolver(
  folder: string,
  env: Readonly<Record<string, string | undefined>>,
): (reference: SecretReference) => Secret {
  return (reference) => {
    if ('env' in reference) {
      const value = env[reference.env]
      if (value === undefined || value === '')
        throw new Error(`the environment variable ${reference.env} is not set`)
      return new Secret(value)
    }
    const path = resolve(folder, reference.file)
    let text: string
    try {
      text = readFileSync(path, 'utf8')
    } catch (error) {
      throw new Error(`cannot read ${path}: ${(error as NodeJS.ErrnoException).code ?? 'failed'}`, {
        cause: error,
      })
    }
    const value = text.replace(/\r?\n$/, '')
    if (value === '') throw new Error(`${path} is empty`)
    if (value.length > MAX_SECRET_CHARS) throw new Error(`${path} is too long to be a secret`)
    return new Secret(value)
  }
}
