import { describe, expect, it } from 'vitest'
import type { Any, Reply } from '../client.ts'
import { media } from '../client.ts'
import { crd, group } from './world.ts'
import type { World } from './world.ts'

const schema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      'x-kubernetes-validations': [
        { rule: '!has(self.low) || !has(self.high) || self.low <= self.high', message: 'low must not be above high' },
        {
          rule: '!has(self.high) || self.high < 100',
          messageExpression: "self.high > 1000 ? 'far too high' : 'too high'",
          fieldPath: '.high',
          reason: 'FieldValueForbidden'
        },
        { rule: "!has(self.__namespace__) || self.__namespace__ != 'x'" }
      ],
      properties: {
        low: { type: 'integer' },
        high: { type: 'integer' },
        namespace: { type: 'string' },
        fixed: { type: 'string',
          'x-kubernetes-validations': [{ rule: 'self == oldSelf', message: 'fixed is immutable' }] },
        grows: {
          type: 'integer',
          'x-kubernetes-validations': [
            { rule: '!oldSelf.hasValue() || self >= oldSelf.value()', optionalOldSelf: true,
              message: 'grows only grows' }
          ]
        },
        size: {
          type: 'string',
          maxLength: 20,
          'x-kubernetes-validations': [{ rule: "quantity(self).compareTo(quantity('1Gi')) >= 0",
            message: 'at least 1Gi' }]
        },
        limits: {
          type: 'object',
          maxProperties: 4,
          additionalProperties: { type: 'integer' },
          'x-kubernetes-validations': [{ rule: "self.all(k, k.startsWith('a') && self[k] > 0)",
            message: 'keys begin with a' }]
        },
        parts: {
          type: 'array',
          maxItems: 5,
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
          items: {
            type: 'object',
            required: ['name'],
            properties: {
              name: { type: 'string', maxLength: 10 },
              count: { type: 'integer',
                'x-kubernetes-validations': [{ rule: 'self >= oldSelf', message: 'count only grows' }] }
            }
          }
        }
      }
    }
  },
  'x-kubernetes-validations': [{ rule: 'size(self.metadata.name) < 30', message: 'the name is too long' }]
}

export function celSuite (world: World): void {
  describe('CEL rules', () => {
    const ruled = (name?: string): string => world.in(`${group}/v1`, 'ruleds', name)
    const make = async (name: string, spec: Any): Promise<Reply> => await world.client.post(ruled(),
      { apiVersion: `${group}/v1`, kind: 'Ruled', metadata: { name }, spec })
    const messages = (reply: Reply): string[] =>
      (reply.body.details?.causes as Any[] ?? []).map(cause => `${cause.field}: ${cause.message}`)
    const refused = async (spec: Any): Promise<string[]> => {
      const reply = await make(world.name('r'), spec)
      expect(reply.status, reply.text).toBe(422)
      return messages(reply)
    }

    it('are loaded with their definition', async () => {
      await world.define(crd('Ruled', schema))
    })

    it('hold between fields, with their message', async () => {
      expect((await make(world.name('r'), { low: 1, high: 2 })).status).toBe(201)
      expect(await refused({ low: 3, high: 2 })).toEqual(['spec: Invalid value: low must not be above high'])
    })

    it('name the field, the reason and a computed message', async () => {
      const reply = await make(world.name('r'), { high: 100 })
      expect(messages(reply)).toEqual(['spec.high: Forbidden: too high'])
      expect(reply.body.details.causes[0].reason).toBe('FieldValueForbidden')
      expect(await refused({ namespace: 'x' }))
        .toEqual(["spec: Invalid value: failed rule: !has(self.__namespace__) || self.__namespace__ != 'x'"])
    })

    it('compare quantities, maps and the name', async () => {
      expect(await refused({ size: '512Mi' })).toEqual(['spec.size: Invalid value: "512Mi": at least 1Gi'])
      expect((await make(world.name('r'), { size: '1024Mi' })).status).toBe(201)
      expect(await refused({ limits: { b: 1 } })).toEqual(['spec.limits: Invalid value: keys begin with a'])
      expect(messages(await make('r'.repeat(30), {}))).toEqual(['<nil>: Invalid value: the name is too long'])
    })

    it('hold over time, on updates only', async () => {
      const name = world.name('r')
      await make(name, { fixed: 'a', grows: 5, parts: [{ name: 'x', count: 5 }, { name: 'y', count: 1 }] })
      const patch = async (spec: Any): Promise<string[]> =>
        messages(await world.client.patch(ruled(name), media.merge, { spec }))
      expect(await patch({ fixed: 'b' })).toEqual(['spec.fixed: Invalid value: "b": fixed is immutable'])
      expect(await patch({ grows: 4 })).toEqual(['spec.grows: Invalid value: 4: grows only grows'])
      // Items of a map list are compared by their key, wherever they stand.
      expect(await patch({ parts: [{ name: 'y', count: 2 }, { name: 'x', count: 4 }] }))
        .toEqual(['spec.parts[1].count: Invalid value: 4: count only grows'])
      expect(await patch({ grows: 6, parts: [{ name: 'z', count: 0 }] })).toEqual([])
    })

    it('are refused with their definition when they do not compile', async () => {
      const refuse = async (rule: Any, inner: Any = { type: 'integer' }): Promise<string> => {
        const broken = crd('Unruly', {
          type: 'object',
          properties: { spec: { type: 'object', 'x-kubernetes-validations': [rule], properties: { a: inner } } }
        })
        const reply = await world.client.post(world.crds, broken)
        expect(reply.status, reply.text).toBe(422)
        return messages(reply).join('\n')
      }
      expect(await refuse({ rule: 'self.nothing > 1' })).toContain('compilation failed')
      expect(await refuse({ rule: 'self.a >' })).toContain('compilation failed')
      expect(await refuse({ rule: 'self.a + 1' })).toContain('must evaluate to a bool')
      expect(await refuse({ rule: "self.a == 'x'" })).toContain('compilation failed')
      expect(await refuse({ rule: 'unheardOf(self.a)' })).toContain('compilation failed')
      expect(await refuse({ rule: 'self.a > 1', fieldPath: '.b' })).toContain('fieldPath')
      expect(await refuse({ rule: 'true', messageExpression: 'self.a' })).toContain('messageExpression')
      expect(await refuse({ rule: 'true' }, {
        type: 'array', maxItems: 3,
          items: { type: 'integer', 'x-kubernetes-validations': [{ rule: 'self >= oldSelf' }] }
      })).toContain('oldSelf cannot be used on the uncorrelatable portion')
    })
  })
}
