// Publishes events and manages endpoints over the HTTP API of a Postrider daemon: fetch, and no dependencies.

import { Resources } from './resources.mjs'

const MOST_RETRIES = 3
const MOST_WAIT = 30 // seconds; a longer wait is the caller's to decide

export class PostriderError extends Error {}

export class ProblemError extends PostriderError {
  constructor(status, body) {
    const { code = 'unknown', detail = 'the answer is no problem that this client knows', request_id: requestId, errors = [] } = body
    super(`${detail} (${code}, request ${requestId})`)
    this.name = 'ProblemError'
    Object.assign(this, { status, code, detail, requestId, errors })
  }
}

export class Unreachable extends PostriderError {
  name = 'Unreachable'
}

export class Client extends Resources {
  #transport

  constructor({ address, key = '', timeout = 60_000 }) {
    const transport = new Transport(address, key, timeout)
    super(transport)
    this.#transport = transport
  }

  send(method, target, options) {
    return this.#transport.send(method, target, options)
  }
}

// Its fields are private, so that no inspection of a client shows the key.
class Transport {
  #address
  #key
  #timeout

  constructor(address, key, timeout) {
    if (!/^https?:\/\/[^/]/.test(address)) throw new TypeError('the address of the API begins with neither http:// nor https://')
    if (!/^[\x21-\x7e]*$/.test(key)) throw new TypeError('the key is none of postrider api-keys create')
    this.#address = address.replace(/\/+$/, '')
    this.#key = key
    this.#timeout = timeout
  }

  async send(method, target, { body, headers = {} } = {}) {
    const sent = new Headers({ accept: 'application/json, application/problem+json' })
    if (body !== undefined) sent.set('content-type', 'application/json')
    if (method === 'POST') sent.set('idempotency-key', crypto.randomUUID())
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) sent.set(name, value)
    if (this.#key) sent.set('authorization', `Bearer ${this.#key}`)
    const safe = method === 'GET' || sent.has('idempotency-key')
    const request = { method, headers: sent, body: body === undefined ? undefined : JSON.stringify(body), redirect: 'manual' }
    for (let number = 0; ; number += 1) {
      const { answer, failure, wait } = await this.#tryOnce(target, request, number)
      if (answer) return answer
      if (!safe || wait === undefined || number === MOST_RETRIES) throw failure
      await new Promise(resolve => setTimeout(resolve, wait * 1000))
    }
  }

  async #tryOnce(target, request, number) {
    let response, text
    try {
      response = await fetch(this.#address + target, { ...request, signal: AbortSignal.timeout(this.#timeout) })
      text = await response.text()
    } catch (error) {
      const why = error.cause?.code ?? error.name
      return { failure: new Unreachable(`${request.method} ${target}: the API gave no answer (${why})`), wait: 0.2 * 2 ** number }
    }
    const { status, headers } = response
    const body = read(text)
    if (response.ok) return { answer: { status, headers, body } }
    const failure = new ProblemError(status, body ?? {})
    return { failure, wait: pause(status, headers, failure) }
  }

  async call(method, path, { query, body, idempotencyKey, ifMatch } = {}) {
    const headers = { 'idempotency-key': idempotencyKey, 'if-match': ifMatch }
    return (await this.send(method, withQuery(path, query), { body, headers })).body
  }

  async *pages(method, path, { query = {} } = {}) {
    for (let cursor = query.cursor; ; ) {
      const page = await this.call(method, path, { query: { ...query, cursor } })
      yield* page.data
      cursor = page.next_cursor
      if (!cursor) return
    }
  }
}

function read(text) {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // a proxy's page, say: the status tells enough
  }
}

// How many seconds to wait before the same is asked again; undefined: not at all.
function pause(status, headers, problem) {
  const text = headers.get('retry-after') ?? ''
  const again = status === 429 || status === 503 || problem.code === 'idempotency_key.under_way'
  return again && /^\d+$/.test(text) && Number(text) <= MOST_WAIT ? Number(text) : undefined
}

function withQuery(path, query = {}) {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== null)
  return pairs.length > 0 ? `${path}?${new URLSearchParams(pairs)}` : path
}
