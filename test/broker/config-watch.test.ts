import { expect, it } from 'vitest'
import { parseConfig, type BrokerConfig } from '../../broker/config.ts'
import { watchConfig } from '../../broker/config-watch.ts'
import { configLookMs } from '../../broker/limits.ts'
import { FakeClock, settle } from '../operator/fake-clock.ts'

const env = {
  MILLRACE_CLUSTER: 'events', MILLRACE_CLUSTER_UID: 'uid', MILLRACE_NAMESPACE: 'default', MILLRACE_POD_NAME: 'events-2',
  MILLRACE_DATA: '/data'
}

it('takes over what changes, once; keeps what it has when the file is away or wrong, and says so once', async () => {
  const clock = new FakeClock()
  const complaints: string[] = []
  const seen: BrokerConfig[] = []
  let text: string | Error = '{"brokers":3}'
  const error = (_: object, line: string): void => { complaints.push(line) }
  const log = { debug: () => {}, info: () => {}, warn: () => {}, error }
  const stop = watchConfig({
    clock, log, env, changed: config => { seen.push(config) },
    read: () => text instanceof Error ? Promise.reject(text) : Promise.resolve(text)
  }, text)
  const look = async (): Promise<void> => {
    await clock.advance(configLookMs)
    await settle()
  }
  await look()
  expect(seen).toEqual([])
  text = '{"brokers":3,"learnerBytesPerSecond":1048576,"logLevel":"debug"}'
  await look()
  await look()
  expect(seen).toEqual([parseConfig(env, text)])
  expect(seen[0]).toMatchObject({ learnerBytesPerSecond: 1_048_576, logLevel: 'debug' })
  text = '{"brokers":'
  await look()
  await look()
  expect(complaints).toEqual([expect.stringContaining('the settings stay as they are: MILLRACE_CONFIG is not JSON')])
  text = new Error('ENOENT')
  await look()
  expect(complaints).toHaveLength(2)
  text = '{"brokers":4}'
  await look()
  expect(seen).toHaveLength(2)
  stop()
  text = '{"brokers":5}'
  await look()
  expect(seen).toHaveLength(2)
})
