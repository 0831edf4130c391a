import type { Log } from '../../operator/kube/log.ts'

export const silentLog: Log = { debug () {}, info () {}, warn () {}, error () {} }
