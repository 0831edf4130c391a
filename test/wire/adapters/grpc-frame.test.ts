import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { rpcs } from '../../../wire/adapters/descriptors.ts'
import { Deframer, frame } from '../../../wire/adapters/grpc-frame.ts'
import { WireError } from '../../../wire/errors.ts'

interface Found { messages: string[], problem: WireError | undefined, held: number }

function deframe (chunks: Buffer[], bytesMax = 1_000): Found {
  const messages: string[] = []
  const deframer = new Deframer(bytesMax, message => messages.push(message.toString('hex')))
  let problem: WireError | undefined
  for (const chunk of chunks) problem ??= deframer.push(chunk)
  return { messages, problem, held: deframer.held }
}

function framed (message: Uint8Array): Buffer {
  const header = Buffer.alloc(5)
  header.writeUInt32BE(message.length, 1)
  return Buffer.concat([header, message])
}

function cut (bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = []
  let rest = bytes
  for (const size of sizes) {
    chunks.push(rest.subarray(0, size))
    rest = rest.subarray(size)
  }
  return [...chunks, rest]
}

describe('Deframer', () => {
  it('finds the same messages however the bytes are cut', () => {
    fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }),
      fc.array(fc.nat(20), { maxLength: 60 }), (messages, sizes) => {
        const { messages: found, problem, held } = deframe(cut(Buffer.concat(messages.map(framed)), sizes))
        expect(found).toEqual(messages.map(message => Buffer.from(message).toString('hex')))
        expect(problem).toBeUndefined()
        expect(held).toBe(0)
      }))
  })

  it('holds what has arrived of a message, and no more', () => {
    expect(deframe([Buffer.from([0, 0, 0])]).held).toBe(3)
    expect(deframe([Buffer.from([0, 0, 0, 1, 0]), Buffer.alloc(255)])).toMatchObject({ held: 260, messages: [] })
  })

  it('refuses a length over the limit before anything of it has come, and compression', () => {
    for (const cutAt of [[], [1], [4], [5]]) {
      const problem = deframe(cut(Buffer.from([0, 0, 0, 3, 233]), cutAt)).problem
      expect(problem?.code).toBe('RECORD_TOO_LARGE')
      expect(deframe(cut(Buffer.from([1, 0, 0, 0, 0]), cutAt)).problem?.code).toBe('INVALID_REQUEST')
    }
    expect(deframe([framed(new Uint8Array(1_000))]).messages).toHaveLength(1)
  })

  it('takes what frame makes', () => {
    const bytes = frame(rpcs.AskController.request, { brokerId: 7 }, 100)
    expect(deframe([bytes]).messages).toEqual([rpcs.AskController.request.encode({ brokerId: 7 }).toString('hex')])
    expect(() => frame(rpcs.Produce.request, { batch: new Uint8Array(101) }, 100)).toThrow(WireError)
  })
})
