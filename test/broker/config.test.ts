import { expect, test } from 'vitest'
import { parseConfig } from '../../broker/config.ts'
import { ports } from '../../operator/objects/names.ts'
import { groupExpiryMsDefault, learnerBytesPerSecondDefault } from '../../broker/limits.ts'

const environment = {
  MILLRACE_CLUSTER: 'events',
  MILLRACE_CLUSTER_UID: 'uid',
  MILLRACE_NAMESPACE: 'default',
  MILLRACE_POD_NAME: 'events-2',
  MILLRACE_DATA: '/data'
}

function code (file: string): string {
  try {
    parseConfig(environment, file)
    return 'none'
  } catch (error) {
    return (error as { code: string }).code
  }
}

test('the file of the ConfigMap: what it says, what it leaves out, what it may not say', () => {
  expect(parseConfig(environment, '{}')).toMatchObject({
    listenClient: `[::]:${ports.client}`, listenPeer: `[::]:${ports.peer}`, listenMetrics: `[::]:${ports.metrics}`,
    brokerId: 2, brokersExpected: 1, learnerBytesPerSecond: learnerBytesPerSecondDefault,
    groupExpiryMs: groupExpiryMsDefault
  })
  expect(parseConfig(environment, '{"brokers":5,"learnerBytesPerSecond":0}'))
    .toMatchObject({ brokersExpected: 5, learnerBytesPerSecond: 0 })
  expect(parseConfig(environment, '{"logLevel":"debug","listeners":[{"name":"a","port":1024}]}')).toMatchObject({
    logLevel: 'debug', listeners: [{ name: 'a', listen: '[::]:1024', address: '' }]
  })
  expect(parseConfig({ ...environment, MILLRACE_NODE_NAME: 'n1' }, '{"racks":{"n1":"hall-a"}}'))
    .toMatchObject({ rack: 'hall-a' })
  for (const groupExpiryMs of [0, 60_000]) {
    expect(parseConfig(environment, JSON.stringify({ groupExpiryMs }))).toMatchObject({ groupExpiryMs })
  }
  for (const file of ['', '[]', '{"brokers":0}', '{"learnerBytesPerSecond":-1}', '{"learnerBytesPerSecond":"1Mi"}',
    '{"groupExpiryMs":1}', '{"groupExpiryMs":59999}', '{"groupExpiryMs":-1}', '{"logLevel":"loud"}',
    '{"listeners":{}}', '{"racks":[]}']) {
    expect(code(file)).toBe('INVALID_REQUEST')
  }
})

test('the address of a pod stands in brackets when it is one of IPv6', () => {
  const told = (address: string): string =>
    parseConfig({ ...environment, MILLRACE_ADVERTISE_PEER: address }, '{}').advertisePeer
  expect(['10.0.0.9:9091', 'fd00::9:9091', '[fd00::9]:9091', 'b-1.example:9091'].map(told))
    .toEqual(['10.0.0.9:9091', '[fd00::9]:9091', '[fd00::9]:9091', 'b-1.example:9091'])
  expect(() => told(':9091')).toThrow('MILLRACE_ADVERTISE_PEER must be host:port')
})
