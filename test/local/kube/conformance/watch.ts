import { describe, expect, it } from 'vitest'
import type { Any } from '../client.ts'
import { media } from '../client.ts'
import type { World } from './world.ts'

/** Events but for bookmarks, as type and name. */
function seen (events: Any[]): string[] {
  return events.filter(event => event.type !== 'BOOKMARK').map(event => `${event.type} ${event.object.metadata?.name}`)
}

export function watchSuite (world: World): void {
  const only = (label: string): string => `${world.core('configmaps')}?labelSelector=w%3D${label}`
  const make = async (name: string, label: string): Promise<Any> => (await world.client.post(world.core('configmaps'),
    world.configMap(name, { a: '1' }, { labels: { w: label } }))).body

  describe('watch', () => {
    it('shows what is there, then what happens', async () => {
      await make('w1-a', 'one')
      const watch = await world.client.watch(only('one'))
      await watch.until(events => events.length === 1)
      await make('w1-b', 'one')
      await world.client.patch(world.core('configmaps', 'w1-a'), media.merge, { data: { a: '2' } })
      const { body } = await world.client.delete(world.core('configmaps', 'w1-b'))
      expect(body).toMatchObject({ kind: 'Status', status: 'Success', details: { name: 'w1-b', kind: 'configmaps' } })
      const events = await watch.until(found => found.length === 4)
      expect(seen(events)).toEqual(['ADDED w1-a', 'ADDED w1-b', 'MODIFIED w1-a', 'DELETED w1-b'])
      const versions = events.map(event => Number(event.object.metadata.resourceVersion))
      expect(versions).toEqual(versions.toSorted((a, b) => a - b))
      expect(new Set(versions).size).toBe(4)
      watch.close()
    })

    it('goes on from a version', async () => {
      const { metadata } = await make('w2-a', 'two')
      await make('w2-b', 'two')
      const watch = await world.client.watch(`${only('two')}&resourceVersion=${metadata.resourceVersion}`)
      await make('w2-c', 'two')
      expect(seen(await watch.until(events => events.length === 2))).toEqual(['ADDED w2-b', 'ADDED w2-c'])
      watch.close()
    })

    it('goes on from a list without a gap', async () => {
      await make('w3-a', 'three')
      const list = await world.client.get(only('three'))
      await make('w3-b', 'three')
      await world.client.delete(world.core('configmaps', 'w3-a'))
      const watch = await world.client.watch(`${only('three')}&resourceVersion=${list.body.metadata.resourceVersion}`)
      expect(seen(await watch.until(events => events.length === 2))).toEqual(['ADDED w3-b', 'DELETED w3-a'])
      watch.close()
    })

    it('shows objects that come to match as ADDED, that cease to as DELETED', async () => {
      await make('w4', 'elsewhere')
      const watch = await world.client.watch(only('four'))
      await world.client.patch(world.core('configmaps', 'w4'), media.merge, { metadata: { labels: { w: 'four' } } })
      await world.client.patch(world.core('configmaps', 'w4'), media.merge, { metadata: { labels: { w: null } } })
      const events = await watch.until(found => found.length === 2)
      expect(seen(events)).toEqual(['ADDED w4', 'DELETED w4'])
      expect(events[1].object.metadata.labels).toEqual({ w: 'four' })
      watch.close()
    })

    it('watches one object by name', async () => {
      const watch = await world.client.watch(`${world.core('configmaps')}?fieldSelector=metadata.name%3Dw5`)
      await make('w5-other', 'five')
      await make('w5', 'five')
      expect(seen(await watch.until(events => events.length > 0))).toEqual(['ADDED w5'])
      watch.close()
    })

    it('ends at its timeout, with a bookmark for those who want one', async () => {
      const watch = await world.client.watch(`${only('six')}&timeoutSeconds=1&allowWatchBookmarks=true`)
      const events = await watch.until(found => found.some(event => event.type === 'BOOKMARK'))
      const mark = events.find(event => event.type === 'BOOKMARK')
      expect(mark.object.kind).toBe('ConfigMap')
      expect(Number(mark.object.metadata.resourceVersion)).toBeGreaterThan(0)
      await watch.until(() => watch.ended)
    })

    it('gives the initial state as events, ended by a bookmark', async () => {
      await make('w7', 'seven')
      const watch = await world.client.watch(`${only('seven')}&sendInitialEvents=true&allowWatchBookmarks=true` +
        '&resourceVersionMatch=NotOlderThan')
      const events = await watch.until(found => found.length >= 2)
      expect([events[0].type, events[1].type]).toEqual(['ADDED', 'BOOKMARK'])
      expect(events[1].object.metadata.annotations).toEqual({ 'k8s.io/initial-events-end': 'true' })
      watch.close()
    })

    it('watches in table form', async () => {
      const watch = await world.client.watch(`${world.gadgets()}?fieldSelector=metadata.name%3Dw8`,
        { accept: `${media.table},application/json` })
      await world.makeGadget('w8', { size: 8 })
      await world.client.patch(world.gadgets('w8'), media.merge, { spec: { size: 9 } })
      const events = await watch.until(found => found.length === 2)
      expect(events.map(event => [event.type, event.object.kind, event.object.rows[0].cells[1]]))
        .toEqual([['ADDED', 'Table', 8], ['MODIFIED', 'Table', 9]])
      expect(events[0].object.columnDefinitions.length).toBeGreaterThan(0)
      watch.close()
    })

    it('shows a status write as MODIFIED', async () => {
      await world.makeGadget('w9')
      const watch = await world.client.watch(`${world.gadgets()}?fieldSelector=metadata.name%3Dw9`)
      await world.client.patch(`${world.gadgets('w9')}/status`, media.merge, { status: { phase: 'Up' } })
      const events = await watch.until(found => found.length === 2)
      expect(events[1]).toMatchObject({ type: 'MODIFIED', object: { status: { phase: 'Up' } } })
      watch.close()
    })
  })
}
