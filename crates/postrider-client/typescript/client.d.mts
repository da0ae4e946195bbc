import type { Json, Resources } from './resources.d.mts'
export type * from './resources.d.mts'

export interface ClientOptions {
  /** Where the API is, such as `https://postrider.example.com`. */
  address: string
  /** A key of `postrider api-keys create`; none for a daemon that runs with `--dev` on the same machine. */
  key?: string
  /** For one try, in milliseconds; a minute if nothing is said. */
  timeout?: number
}

/** A client of one daemon's API with one key. */
export class Client implements Resources {
  constructor(options: ClientOptions)
  /** Sends any request to a path with its query: for what the resources have no method for, and for headers such as `etag`. */
  send(method: string, target: string, options?: { body?: Json; headers?: Record<string, string> }): Promise<Answer>
}
export interface Client extends Resources {}

export interface Answer {
  status: number
  headers: Headers
  body: unknown
}

/** A call failed. */
export class PostriderError extends Error {}

/** The API answered with a problem (RFC 9457). */
export class ProblemError extends PostriderError {
  readonly status: number
  /** Stable: what a program goes by. */
  readonly code: string
  readonly detail: string
  readonly requestId: string | undefined
  readonly errors: { pointer: string; code: string; detail: string }[]
}

/** No answer came: the connection was refused, lost, or took too long. It may have been carried out. */
export class Unreachable extends PostriderError {}
