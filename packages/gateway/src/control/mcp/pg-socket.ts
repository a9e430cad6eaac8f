import type { Duplex } from 'node:stream'

/** Gives a stream that is connected already what pg asks of a socket: to be connected, and to be tuned. */
export function socketFor(stream: Duplex): Duplex {
  return Object.assign(stream, {
    connect: () => process.nextTick(() => stream.emit('connect')),
    setNoDelay: () => stream,
    setKeepAlive: () => stream,
    ref: () => stream,
    unref: () => stream,
  })
}
