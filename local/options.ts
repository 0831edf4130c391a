// The flags of `npm start`. Pure.
import { isAbsolute, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { StartError } from './start-error.ts'

export interface StartOptions {
  /** Absolute path of the data folder. */
  readonly folder: string
  /** Client port of the bootstrap on 127.0.0.1; 0: a free one. */
  readonly port: number
  /** Undefined: as the example says, or as many as there are. */
  readonly brokers: number | undefined
  readonly fresh: boolean
  readonly help: boolean
}

export const portDefault = 9090
export const folderDefault = '.millrace'
/** As the schema of Cluster. */
const brokersMax = 100

export const usage = `A millrace cluster on this machine.

  npm start                                 data in ${folderDefault}/, bootstrap on port ${portDefault}
  npm start -- --port 9190 --dir /tmp/m     another place, beside the first
  npm start -- --fresh                      delete what is there and begin anew

  --dir D       folder that holds all state (default ${folderDefault})
  --port P      port of the bootstrap on 127.0.0.1 (default ${portDefault})
  --brokers N   number of brokers (default 3)
  --fresh       delete the data first
`

/**
 * @param cwd what a relative --dir is relative to. @param root folder of the project.
 * Throws StartError.
 */
export function parseOptions (args: readonly string[], cwd: string, root: string): StartOptions {
  const values = parse(args)
  const { dir } = values
  if (dir === '') throw new StartError('--dir needs a folder')
  return {
    folder: dir === undefined ? join(root, folderDefault) : isAbsolute(dir) ? dir : resolve(cwd, dir),
    port: number('port', values.port, 0, 65_535) ?? portDefault,
    brokers: number('brokers', values.brokers, 1, brokersMax),
    fresh: values.fresh ?? false,
    help: values.help ?? false
  }
}

interface Values { dir?: string, port?: string, brokers?: string, fresh?: boolean, help?: boolean }

function parse (args: readonly string[]): Values {
  try {
    return parseArgs({
      args: [...args],
      options: {
        dir: { type: 'string' },
        port: { type: 'string' },
        brokers: { type: 'string' },
        fresh: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' }
      }
    }).values
  } catch (error) {
    throw new StartError(`${(error as Error).message.split('. ')[0]}; see npm start -- --help`)
  }
}

function number (name: string, text: string | undefined, min: number, max: number): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < min || value > max) {
    throw new StartError(`--${name} must be a number from ${min} to ${max}, not '${text}'`)
  }
  return value
}
