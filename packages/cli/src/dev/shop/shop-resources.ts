import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { constants } from 'node:fs'
import { join } from 'node:path'

const template = (name: string): URL => new URL(`resources/${name}`, import.meta.url)

/** What people edit: written once. */
const EDITED = ['policies.cedar', 'classification.yaml'] as const

/**
 * Puts the shop's resources into a directory. The target is written anew, since its address is that of this start; the
 * others only when they are not there, so that edits to them stay.
 * @param address `host:port` of the shop's PostgreSQL
 */
export async function writeShopResources(directory: string, address: string): Promise<void> {
  await mkdir(directory, { recursive: true })
  const targets = await readFile(template('targets.yaml'), 'utf8')
  await writeFile(join(directory, 'targets.yaml'), targets.replace('SHOP_ADDRESS', address))
  for (const name of EDITED) {
    await copyFile(template(name), join(directory, name), constants.COPYFILE_EXCL).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error
      },
    )
  }
}
