import { parentPort, workerData } from 'node:worker_threads'
import { format } from 'sql-formatter'

/** Lays out the one text that it is started with, and ends. Undefined: it cannot be laid out. */
function laidOut(): string | undefined {
  try {
    return format(String(workerData), {
      language: 'postgresql',
      keywordCase: 'preserve',
      linesBetweenQueries: 1,
    })
  } catch {
    return undefined
  }
}

parentPort?.postMessage(laidOut(), [])
