// The client in a process of its own: what nobody waits for must not end unheard.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const client = join(import.meta.dirname, '../../client/index.ts')

async function outputOf (program: string): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program])
  return stdout
}

it('keeps the process alive while a send waits for a broker, and no longer than until it is closed', async () => {
  expect(await outputOf(`
    import { Millrace } from ${JSON.stringify(client)}
    const client = new Millrace({ bootstrap: '127.0.0.1:1' })
    const producer = client.producer({ deliveryTimeoutMs: 300 })
    try {
      await producer.send({ topic: 'orders', value: 'x' })
    } catch (error) {
      console.log(error.code)
    }
    await client.close()
    console.log('closed')
  `)).toMatch(/^[A-Z_]+\nclosed\n$/)
})
