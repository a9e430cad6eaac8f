import type { z } from 'zod'
import { ApiError } from './api-error.ts'
import { Problem } from './problem.ts'

interface Sending {
  readonly body?: unknown
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
}

/** JSON requests with a bearer token, and answers checked against their schema. */
export class Transport {
  readonly #base: URL
  readonly #token: () => Promise<string> | string
  readonly #fetch: typeof fetch

  /** @throws TypeError when `url` is not a URL */
  constructor(options: {
    readonly url: string
    readonly token: () => Promise<string> | string
    readonly fetch?: typeof fetch
  }) {
    this.#base = new URL(options.url)
    this.#token = options.token
    this.#fetch = options.fetch ?? fetch
  }

  /**
   * @param path absolute, its parts percent-encoded
   * @throws ApiError
   */
  async send<T extends z.ZodType>(
    method: string,
    path: string,
    schema: T,
    { body, query }: Sending = {},
  ): Promise<z.output<T>> {
    const url = new URL(this.#base.pathname.replace(/\/$/, '') + path, this.#base)
    for (const [name, value] of Object.entries(query ?? {})) {
      if (value !== undefined) url.searchParams.set(name, String(value))
    }
    const token = await this.#token()
    const response = await this.#fetch(url, {
      method,
      headers: {
        accept: 'application/json, application/problem+json',
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      // A redirect would send the bearer token to wherever it points.
      redirect: 'error',
    }).catch((cause: unknown) => {
      throw this.#unanswered('GATEWAY_UNREACHABLE', 0, `no answer from ${this.#base.origin}`, cause)
    })
    const text = await response.text().catch((cause: unknown) => {
      throw this.#unanswered(
        'GATEWAY_UNREACHABLE',
        0,
        `${this.#base.origin} hung up while it answered`,
        cause,
      )
    })
    const answer = parsed(text)
    if (!response.ok) {
      const problem = Problem.safeParse(answer)
      if (problem.success) throw new ApiError(problem.data)
      throw this.#notOurs(response.status)
    }
    const result = schema.safeParse(response.status === 204 ? undefined : answer)
    if (!result.success) throw this.#notOurs(response.status, result.error)
    return result.data
  }

  #notOurs(status: number, cause?: unknown): ApiError {
    const detail = `${this.#base.origin} answered ${status}, but not as a Sallyport gateway of this version does`
    return this.#unanswered('GATEWAY_UNKNOWN', status, detail, cause)
  }

  #unanswered(code: string, status: number, detail: string, cause?: unknown): ApiError {
    const problem: Problem = {
      type: `urn:sallyport:error:${code.toLowerCase().replaceAll('_', '-')}`,
      title: 'The gateway did not answer',
      status,
      detail,
      code,
      hint: 'check that the gateway runs, and that the URL is its publicUrl',
      requestId: '',
    }
    return new ApiError(problem, cause)
  }
}

/** Undefined for what is no JSON: an answer of some proxy on the way. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
