// Has only to compile, and not to where it says so.
import { Client, ProblemError, type Endpoint, type NewEvent } from './client.mjs'

const client = new Client({ address: 'http://127.0.0.1:1' })
const event: NewEvent = { type: 'order.paid', key: ['1001'], data: { order: 1001 } }

export async function example(): Promise<string[]> {
  const urls: string[] = []
  for await (const endpoint of client.endpoints.list({ limit: 10 })) urls.push((endpoint satisfies Endpoint).url ?? 'pulled')
  try {
    const published = await client.events.publish(event, { idempotencyKey: 'one' })
    urls.push(published.outcome)
  } catch (error) {
    if (error instanceof ProblemError) urls.push(...error.errors.map(one => one.pointer))
  }
  const recovered = await client.endpoints.recover('whk_1', { since: '2026-01-01T00:00:00Z', dry_run: true })
  if ('expected' in recovered && 'complete' in recovered) urls.push(String(recovered.complete))
  // @ts-expect-error there is no such status
  for await (const delivery of client.deliveries.list({ status: 'lost' })) urls.push(delivery.id)
  // @ts-expect-error a type is needed
  await client.events.publish({ data: 1 })
  return urls
}
