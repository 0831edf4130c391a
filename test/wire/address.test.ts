import { expect, test } from 'vitest'
import { bracketed, listenOptions, parseAddress, withBrackets } from '../../wire/address.ts'

test('addresses are host:port, of IPv6 in brackets', () => {
  expect(parseAddress('b0.example:9090')).toEqual({ host: 'b0.example', port: 9090 })
  expect(parseAddress('[fd00::1]:0')).toEqual({ host: 'fd00::1', port: 0 })
  for (const text of ['', ':9090', 'b0', 'b0:', 'b0:65536', 'b0:x', 'fd00::1:9090', '[b0.example]:9090', 'b 0:9090']) {
    expect(() => parseAddress(text), text).toThrow('is not an address: host:port')
  }
  expect(['10.0.0.1', 'b0.example', 'fd00::1'].map(bracketed)).toEqual(['10.0.0.1', 'b0.example', '[fd00::1]'])
})

test('addresses that Kubernetes has put in get their brackets', () => {
  expect(['10.0.0.1:9090', 'b0.example:9090', 'fd00::1:9090', '::1:9090', '[fd00::1]:9090'].map(withBrackets)).toEqual(
    ['10.0.0.1:9090', 'b0.example:9090', '[fd00::1]:9090', '[::1]:9090', '[fd00::1]:9090'])
  for (const text of ['', 'b0', ':9090', 'fd00::1:65536', 'http://b0:9090']) {
    expect(() => withBrackets(text), text).toThrow('is not an address: host:port')
  }
})

test('a server listens at one address, or at all of them', () => {
  expect(listenOptions('10.0.0.1:9090')).toEqual({ host: '10.0.0.1', port: 9090 })
  expect(listenOptions('[fd00::1]:9090')).toEqual({ host: 'fd00::1', port: 9090 })
  expect(listenOptions('[::]:9090')).toEqual({ port: 9090 })
})
