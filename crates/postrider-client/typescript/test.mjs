// The client against a running daemon: API_ADDRESS and API_KEY (an admin's) say which. `crates/postrider-client/check` starts one.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { after, before, test } from 'node:test'
import { inspect } from 'node:util'

import { Client, ProblemError, Unreachable } from './client.mjs'

const address = process.env.API_ADDRESS
const key = process.env.API_KEY
const client = new Client({ address, key })
const tenant_id = `node-${process.pid}`

/** What arrives at the endpoints of these tests. */
const received = []
const receiver = http.createServer((request, response) => {
  request.resume().on('end', () => {
    received.push(request.headers['webhook-id'])
    response.end('ok')
  })
})
let url

before(async () => {
  receiver.listen(0, '127.0.0.1')
  await once(receiver, 'listening')
  url = `http://127.0.0.1:${receiver.address().port}/`
})
after(() => {
  receiver.close()
  receiver.closeAllConnections()
})

/** Waits until a condition holds. */
async function until(what, condition) {
  for (const end = Date.now() + 30_000; Date.now() < end; await new Promise(resolve => setTimeout(resolve, 50))) {
    const value = await condition()
    if (value) return value
  }
  assert.fail(`${what}: not within 30 seconds`)
}

async function all(items) {
  const found = []
  for await (const item of items) found.push(item)
  return found
}

/** A way to the daemon on which each connection has a fault: `lose` the answer, be `busy`, or `pass`. Those after the last pass. */
async function faulty(context, faults, seen = []) {
  const target = new URL(address)
  const server = net.createServer(socket => {
    const fault = faults.shift() ?? 'pass'
    socket.on('error', () => {})
    socket.on('data', data => seen.push(String(data)))
    if (fault.startsWith('busy')) {
      const retry = fault === 'busy' ? 'retry-after: 0\r\n' : ''
      const body = '{"status":503,"code":"database.busy","detail":"busy","request_id":"r"}'
      socket.once('data', () => socket.end(`HTTP/1.1 503 x\r\n${retry}content-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`))
      return
    }
    const onward = net.connect(target.port, target.hostname)
    onward.on('error', () => socket.destroy())
    socket.on('close', () => onward.destroy())
    socket.pipe(onward)
    if (fault === 'lose') onward.once('data', () => socket.destroy())
    else onward.pipe(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.after(() => server.close())
  return `http://127.0.0.1:${server.address().port}`
}

const problem = (code, more = {}) => error => {
  assert.ok(error instanceof ProblemError, inspect(error))
  assert.equal(error.code, code)
  assert.ok(error.requestId)
  assert.ok(!inspect(error).includes(key))
  for (const [name, value] of Object.entries(more)) assert.deepEqual(error[name], value)
  return true
}

test('an event is published once, and its problems are typed', async () => {
  const event = { type: 'order.paid', tenant_id, key: ['once'], data: { order: 1 } }
  const published = await client.events.publish(event)
  assert.equal(published.outcome, 'inserted')
  assert.equal((await client.events.publish(event)).outcome, 'duplicate')
  await assert.rejects(client.events.publish({ ...event, data: {} }), problem('event.conflict', { status: 409 }))
  await assert.rejects(client.events.publish({ ...event, type: 'a b' }), error => {
    assert.equal(error.errors[0].pointer, '/type')
    return problem(error.code, { status: 422 })(error)
  })
  const shown = await client.events.get(published.id, { tenant_id })
  assert.deepEqual(shown.envelope.data, { order: 1 })
  assert.deepEqual((await client.events.explain(published.id, { tenant_id })).data, [])
})

test('a list goes on over its pages', async () => {
  const ids = []
  for (let n = 0; n < 5; n += 1) ids.push((await client.events.publish({ type: 'page.turned', tenant_id, data: n })).id)
  const listed = await all(client.events.list({ tenant_id, type: 'page.turned', limit: 2 }))
  assert.deepEqual(listed.map(event => event.id), ids.reverse())
})

test('an endpoint lives, gets events, and what went wrong is sent again', async () => {
  const created = await client.endpoints.create({ url, tenant_id, event_types: ['shop.*'] })
  assert.match(created.secret, /^whsec_/)
  const { id } = created
  assert.equal((await client.endpoints.get(id)).url, url)
  assert.equal((await client.endpoints.update(id, { description: 'a shop' })).description, 'a shop')
  const stale = client.endpoints.update(id, { description: 'late' }, { ifMatch: '"stale"' })
  await assert.rejects(stale, error => error.status === 412)
  assert.deepEqual((await all(client.endpoints.list({ tenant_id }))).map(one => one.id), [id])
  assert.match((await client.endpoints.rotateSecret(id)).secret, /^whsec_/)

  const { event_id, delivery_id } = await client.endpoints.test(id)
  await until('the test event', () => received.includes(event_id))
  await until('its record', async () => (await client.deliveries.get(delivery_id)).status === 'delivered')
  await assert.rejects(client.deliveries.cancel(delivery_id), error => error instanceof ProblemError && error.status === 409)

  const published = await client.events.publish({ type: 'shop.opened', tenant_id, data: null })
  await until('the event', () => received.includes(published.id))
  const [delivery] = await until('its delivery', async () => {
    const found = await all(client.events.deliveries(published.id, { tenant_id }))
    return found[0]?.status === 'delivered' && found
  })
  assert.deepEqual(await all(client.deliveries.attempts(delivery.id)), [], 'successes are kept where the endpoint asks for it')
  const again = await client.events.redeliver(published.id, { endpoint_id: id }, { tenant_id })
  assert.equal(again.data[0].redelivered, true)
  await until('it again', () => received.filter(one => one === published.id).length === 2)

  const since = new Date(Date.now() - 3_600_000).toISOString()
  const wanted = { since, statuses: ['delivered'] }
  assert.equal((await client.endpoints.recover(id, { ...wanted, dry_run: true })).dry_run, true)
  const job = await client.endpoints.recover(id, wanted)
  await until('the job', async () => (await client.jobs.get(job.id)).state === 'done')

  assert.equal((await client.endpoints.disable(id)).enabled, false)
  assert.equal((await client.endpoints.enable(id)).enabled, true)
  assert.equal((await client.endpoints.delete(id)).deleted, true)
  await assert.rejects(client.endpoints.get(id), problem('endpoint.not_found', { status: 404 }))
  const actions = (await all(client.audit.list({ tenant_id }))).map(entry => entry.action)
  assert.ok(actions.includes('endpoint.created') && actions.includes('endpoint.deleted'))
})

test('a key is shown once, sees its own tenant, and ends when it is revoked', async () => {
  const created = await client.apiKeys.create({ name: 'node', tenant_id, scopes: ['read'] })
  const theirs = new Client({ address, key: created.key })
  assert.ok(!inspect(theirs, { depth: null, showHidden: true }).includes(created.key))
  const published = await client.events.publish({ type: 'other.thing', tenant_id: `${tenant_id}-other`, data: 1 })
  await assert.rejects(theirs.events.get(published.id), problem('event.not_found'))
  await assert.rejects(theirs.events.publish({ type: 'x', data: 1 }), problem('forbidden', { status: 403 }))
  await client.apiKeys.revoke(created.id)
  await assert.rejects(theirs.events.get(published.id), problem('unauthorized', { status: 401 }))
})

test('a POST whose answer is lost is sent again and carried out once', async context => {
  const seen = []
  const lossy = new Client({ address: await faulty(context, ['lose'], seen), key })
  const published = await lossy.events.publish({ type: 'lost.once', tenant_id, data: 1 })
  assert.equal(published.outcome, 'inserted')
  const keys = seen.join('').match(/idempotency-key: \S+/g)
  assert.equal(keys.length, 2)
  assert.equal(keys[0], keys[1])
  assert.equal((await all(client.events.list({ tenant_id, type: 'lost.once' }))).length, 1)
  const twice = () => client.events.publish({ type: 'lost.twice', tenant_id, data: 1 }, { idempotencyKey: `${tenant_id}-a-key-of-ours` })
  assert.deepEqual(await twice(), await twice())
})

test('what cannot be sent twice is sent once', async context => {
  const seen = []
  const lossy = new Client({ address: await faulty(context, ['lose', 'lose'], seen), key })
  await assert.rejects(lossy.endpoints.delete(`whk_${'0'.repeat(32)}`), error => error instanceof Unreachable && !inspect(error).includes(key))
  assert.equal(seen.join('').match(/DELETE /g).length, 1)
})

test('a busy daemon is asked again when it says after how long', async context => {
  const busy = new Client({ address: await faulty(context, ['busy', 'busy', 'busy']), key })
  assert.equal((await busy.events.publish({ type: 'busy.once', tenant_id, data: 1 })).outcome, 'inserted')
  const mute = new Client({ address: await faulty(context, ['busy and mute']), key })
  await assert.rejects(all(mute.events.list()), error => error.code === 'database.busy')
})
