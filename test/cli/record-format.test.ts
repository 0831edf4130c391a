import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { Output } from '../../cli/output.ts'
import { compileFormat, jsonLine, valueLine } from '../../cli/record-format.ts'
import type { RecordWriter } from '../../cli/record-format.ts'
import { ConsumedBatch } from '../../client/consumed-batch.ts'
import { BatchBuilder, encodeHeaders } from '../../wire/batch-builder.ts'
import type { Header } from '../../wire/batch-builder.ts'
import { parseBatchHeader } from '../../wire/record-batch.ts'

function bytes (text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

async function written (write: RecordWriter, key: Uint8Array | null, value: Uint8Array | null,
  headers: readonly Header[] = []): Promise<string> {
  const builder = new BatchBuilder(64)
  builder.append(1_700_000_000_000, key, value, encodeHeaders(headers))
  const batch = builder.finish()
  const stream = new PassThrough()
  const output = new Output(() => {}, stream as never)
  const consumed = new ConsumedBatch('orders', '', 3, 0, 1, { bytes: batch, header: parseBatchHeader(batch) })
  const cursor = consumed.cursor()
  cursor.next()
  write(output, consumed, cursor)
  await output.flush()
  return (stream.read() as Buffer | null)?.toString('latin1') ?? ''
}

describe('formats', () => {
  it('write every field', async () => {
    const write = compileFormat('%t %p:%o %T %k=%v (%s) [%h] 100%%\\n\\t')
    expect(await written(write, bytes('k'), bytes('val'), [{ key: 'a', value: bytes('1') }, { key: 'b', value: null }]))
      .toBe('orders 3:0 1700000000000 k=val (3) [a=1,b=] 100%\n\t')
    expect(await written(write, null, null)).toBe('orders 3:0 1700000000000 = (-1) [] 100%\n\t')
  })

  it('keep bytes as they are', async () => {
    const raw = new Uint8Array([0, 255, 128, 10])
    expect(await written(compileFormat('%k|%v'), raw, raw)).toBe('\x00\xff\x80\n|\x00\xff\x80\n')
    expect(await written(valueLine, null, raw)).toBe('\x00\xff\x80\n\n')
    expect(await written(valueLine, null, null)).toBe('\n')
  })

  it.each(['%x', '%', 'a%', '%constructor', '%__proto__'])('refuse %j', format => {
    expect(() => compileFormat(format)).toThrow('stands for nothing')
  })
})

describe('JSON', () => {
  it('is one object a line', async () => {
    const line = await written(jsonLine, bytes('k'), bytes('a "b"\n'), [{ key: 'h', value: bytes('1') }])
    expect(line.endsWith('\n')).toBe(true)
    expect(line.indexOf('\n')).toBe(line.length - 1)
    expect(JSON.parse(line)).toEqual({
      topic: 'orders', partition: 3, offset: 0, timestamp: 1_700_000_000_000, key: 'k', value: 'a "b"\n',
      headers: { h: '1' }
    })
  })

  it('has null, and base64 where bytes are no UTF-8', async () => {
    const parsed = JSON.parse(await written(jsonLine, null, new Uint8Array([0xff, 0xfe]))) as object
    expect(parsed).toMatchObject({ key: null, value: { base64: '//4=' }, headers: {} })
    expect(JSON.parse(await written(jsonLine, new Uint8Array(0), null))).toMatchObject({ key: '', value: null })
  })

  it('keeps all headers of one name, and names that mean something to JavaScript', async () => {
    const names = ['a', '__proto__', 'a', 'constructor', 'a']
    const headers = names.map((key, index) => ({ key, value: bytes(String(index)) }))
    const line = await written(jsonLine, null, null, headers)
    expect(line).toContain('"headers":{"a":["0","2","4"],"__proto__":"1","constructor":"3"}')
  })
})

describe('output', () => {
  it('grows, keeps order, and is quiet about a reader that left', async () => {
    const stream = new PassThrough()
    let broken = 0
    const output = new Output(() => { broken++ }, stream as never)
    output.text('é')
    output.bytes(new Uint8Array(400_000).fill(97))
    expect(output.isFull).toBe(true)
    output.byte(10)
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => { chunks.push(chunk) })
    await output.flush()
    expect(Buffer.concat(chunks).toString()).toBe(`é${'a'.repeat(400_000)}\n`)
    const gone = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })
    stream.destroy(gone)
    await new Promise(resolve => { stream.once('close', resolve) })
    output.text('more')
    await output.flush()
    expect([broken, output.isBroken, output.failure]).toEqual([1, true, undefined])
  })
})
