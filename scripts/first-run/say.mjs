/** Tells what is being done, on stderr: stdout belongs to the command that is run in the end. */
export function say(/** @type {string} */ text) {
  console.error(`• ${text}`)
}

/** Something that the person at the keyboard can mend; shown without a stack. */
export class PlainFailure extends Error {
  /** @param {string} message what failed and why @param {string} mend what to do */
  constructor(message, mend) {
    super(message)
    this.mend = mend
  }
}
