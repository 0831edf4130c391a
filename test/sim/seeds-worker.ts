// One of several processes that run seeds: node seeds-worker.ts '{"from": 1, "step": 2, "end": 100}'.
import { runSeeds } from './seeds.ts'
import type { Share } from './seeds.ts'

// Nobody is left to be told.
process.on('disconnect', () => { process.exit(0) })
for await (const summary of runSeeds(JSON.parse(process.argv[2] ?? '') as Share)) process.send?.(summary)
process.disconnect()
