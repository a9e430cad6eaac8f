import { parentPort } from 'node:worker_threads'
import { StretchReader } from './read-stretch.ts'
import type { StretchAnswer, StretchQuestion } from './stretch-thread.ts'

const reader = new StretchReader()

/** Runs in a thread of its own: one stretch per question. */
function answer({ path, from, end }: StretchQuestion): StretchAnswer {
  try {
    return { stretch: reader.read(path, from, end) }
  } catch (error) {
    return { failed: error instanceof Error ? error.message : String(error) }
  }
}

const port = parentPort
if (port === null) throw new Error('stretch-worker runs as a worker thread only')
port.on('message', (question: StretchQuestion) => {
  const answered = answer(question)
  const sessions = 'failed' in answered ? [] : [...(answered.stretch?.sessions.values() ?? [])]
  port.postMessage(
    answered,
    sessions.map(({ lines }) => lines.buffer),
  )
})
