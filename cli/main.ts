// The command line of millrace. Commands are described here and loaded when they run.
import { Command, CommanderError, Option } from 'commander'
import manifest from '../package.json' with { type: 'json' }
import { codecIds } from '../wire/compression.ts'
import * as take from './arguments.ts'
import { exitCodes, exitCodesHelp, report } from './exit.ts'

const timeoutDefault = 30_000

function examples (...lines: readonly string[]): string {
  return `Examples:\n${lines.map(line => `  $ ${line}`).join('\n')}\n`
}

/** The command's own code ends the process: nothing else is left to do. */
function ends<T extends unknown[]> (run: (...args: T) => Promise<number>): (...args: T) => Promise<void> {
  return async (...args) => { process.exitCode = await run(...args) }
}

function timeout (text: string): Option {
  return new Option('--timeout <seconds>', text).argParser(take.seconds).default(timeoutDefault, '30')
}

function toBrokers (command: Command): Command {
  return command.addOption(new Option('-b, --bootstrap <addresses>', 'brokers to begin with, host:port,...')
    .env('MILLRACE_BOOTSTRAP').default('127.0.0.1:9090').argParser(take.bootstrap))
}

function toKubernetes (command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'which Kubernetes (default: KUBECONFIG, then .millrace/kubeconfig)')
    .option('--namespace <name>', 'namespace (default: that of the kubeconfig)')
    .option('--cluster <name>', 'which Cluster (default: the only one of the namespace)')
}

function topicCommands (program: Command): void {
  const topic = program.command('topic').description('create, list, describe and delete topics')
    .addHelpText('before', examples('millrace topic create orders --partitions 6 --replicas 3', 'millrace topic list'))

  toKubernetes(topic.command('create <name>')).description('create a topic; returns when it takes records')
    .addHelpText('before', examples('millrace topic create orders',
      'millrace topic create orders --partitions 12 --replicas 3 --min-in-sync 2 --retention 168h'))
    .option('--partitions <n>', 'number of partitions', take.integer(1))
    .option('--replicas <n>', 'copies of each partition', take.integer(1))
    .option('--min-in-sync <n>', 'copies that must have a record before it is acknowledged', take.integer(1))
    .option('--retention <age>', 'how long records are kept: 168h, 7d, unlimited')
    .option('--retention-bytes <bytes>', 'how much a partition keeps: 10Gi, unlimited')
    .addOption(new Option('--delete-policy <policy>', 'what deleting the Topic does to records')
      .choices(['Retain', 'Delete']))
    .addOption(timeout('how long to wait until the topic is ready'))
    .action(ends(async (name: string, options) => (await import('./topic-create.ts')).topicCreate(name, options)))

  toBrokers(topic.command('list')).description('list topics')
    .addHelpText('before', examples('millrace topic list', 'millrace topic list --internal --json | jq .name'))
    .option('--internal', 'also topics of the system')
    .option('--json', 'one JSON object a line')
    .addOption(timeout('how long to wait for a broker'))
    .action(ends(async options => (await import('./topic-list.ts')).topicList(options)))

  toBrokers(topic.command('describe <name>')).description('show partitions, leaders, in-sync sets and offsets')
    .addHelpText('before', examples('millrace topic describe orders', 'millrace topic describe orders --json'))
    .option('--json', 'as JSON')
    .addOption(timeout('how long to wait for a broker'))
    .action(ends(async (name: string, options) => (await import('./topic-describe.ts')).topicDescribe(name, options)))

  toKubernetes(topic.command('delete <name>')).description('delete a topic')
    .addHelpText('before', examples('millrace topic delete orders', 'millrace topic delete orders --records --yes'))
    .option('--records', 'delete its records, whatever its deletePolicy')
    .option('-y, --yes', 'do not ask; needed where there is no terminal')
    .addOption(timeout('how long to wait until it is gone'))
    .action(ends(async (name: string, options) => (await import('./topic-delete.ts')).topicDelete(name, options)))
}

function toController (command: Command): Command {
  return toKubernetes(command).option('--controller <address>',
    'host:port of the admin service (default: as the Lease of the Cluster says)', take.address)
}

function partitionCommands (program: Command): void {
  const partition = program.command('partition').description('list, move, elect and recover partitions')
    .addHelpText('before', examples('millrace partition list orders', 'millrace partition elect --all'))

  toBrokers(partition.command('list [topic]')).description('show replicas, leaders and moves')
    .addHelpText('before', examples('millrace partition list orders', 'millrace partition list --moving',
      'millrace partition list --troubled --json | jq .topic'))
    .option('--moving', 'only those that move')
    .option('--troubled', 'only those that are not ok')
    .option('--internal', 'also topics of the system')
    .option('--json', 'one JSON object a line')
    .addOption(timeout('how long to wait for a broker'))
    .action(ends(async (topic: string | undefined, options) =>
      (await import('./partition-list.ts')).partitionList(topic, options)))

  toController(partition.command('move [partitions...]')).description('give partitions other replicas, under load')
    .addHelpText('before', examples('millrace partition move orders/3 --replicas 1,2,3',
      'millrace partition move orders/3 --cancel', 'millrace partition move --from-file moves.yaml --dry-run'))
    .option('--replicas <brokers>', 'broker ids, the preferred leader first', take.brokers)
    .option('--cancel', 'give up the move that is under way')
    .option('--from-file <file>', 'YAML or JSON: a list of {topic, partition, replicas}; - for stdin')
    .option('--dry-run', 'check and show, change nothing')
    .option('--wait', 'return when they have moved (or --timeout is over)')
    .option('--json', 'one JSON object a line')
    .addOption(timeout('how long to wait for the controller, and with --wait for the moves'))
    .action(ends(async (names: string[], options) =>
      (await import('./partition-move.ts')).partitionMove(names, options)))

  toController(partition.command('elect [partitions...]')).description('make other in-sync replicas the leaders')
    .addHelpText('before', examples('millrace partition elect orders', 'millrace partition elect orders/3 --leader 2',
      'millrace partition elect --all'))
    .option('--leader <broker>', 'who is to lead (default: the first of the replicas)', take.integer(0))
    .option('--all', 'every partition of every topic')
    .option('--json', 'one JSON object a line')
    .addOption(timeout('how long to wait for the controller'))
    .action(ends(async (names: string[], options) =>
      (await import('./partition-elect.ts')).partitionElect(names, options)))
  recoverCommand(partition)
}

function recoverCommand (partition: Command): void {
  toController(partition.command('recover <partition>'))
    .description('go on without the in-sync set of a partition, for the case that all of it is lost for ever.\n' +
      'Records that only its members had are lost. A member that is cut off, not dead, may still be\n' +
      'acknowledging records: stop it first. Prefer to bring any member back with its disk: nothing is lost then.')
    .addHelpText('before', examples('millrace partition recover orders/3 --lost 0,1 --dry-run',
      'millrace partition recover orders/3 --lost 0,1 --accept-data-loss'))
    .requiredOption('--lost <brokers>', 'every member of the in-sync set: whom you give up', take.brokers)
    .option('--survivor <broker>', 'replica to go on with (default: the one that has most)', take.integer(0))
    .option('--accept-data-loss', 'do it; without this nothing is changed')
    .option('--dry-run', 'show what would be')
    .option('--json', 'as JSON')
    .addOption(timeout('how long to wait for the controller'))
    .action(ends(async (name: string, options) =>
      (await import('./partition-recover.ts')).partitionRecover(name, options)))
}

function produceCommand (program: Command): void {
  toBrokers(program.command('produce <topic>')).description('send lines from stdin as records')
    .addHelpText('before', examples('seq 1 1000000 | millrace produce numbers',
      "printf 'k1:hello\\nk2:world\\n' | millrace produce orders -k :",
      'tail -f app.log | millrace produce logs -H host=web-1'))
    .option('-k, --key <separator>', 'split lines into key and value at its first occurrence', take.separator)
    .option('-H, --header <name=value>', 'header of every record, may be repeated', take.header)
    .option('-p, --partition <n>', 'send everything to this partition', take.integer(0))
    .option('--rate <n>', 'records per second', take.rate)
    .addOption(new Option('--compression <name>', 'compress batches; snappy and lz4 want a package')
      .choices(Object.keys(codecIds)))
    .addOption(timeout('how long to wait for a broker; when given, also for each record (otherwise 120)'))
    .action(ends(async (name: string, options, command: Command) => (await import('./produce.ts')).produce(name, {
      ...options, timeoutGiven: command.getOptionValueSource('timeout') === 'cli'
    })))
}

function consumeCommand (program: Command): void {
  toBrokers(program.command('consume <topic>')).description('write records to stdout')
    .addHelpText('before', examples('millrace consume orders',
      'millrace consume orders -o start -e | wc -l',
      "millrace consume orders -o -10 -e -f '%p:%o %k=%v\\n'",
      'millrace consume orders -o @2026-05-01T12:00:00Z -n 3 --json',
      'millrace consume orders -g audit -e'))
    .addOption(new Option('-o, --offset <where>', 'start, end, an offset, -n (the last n of each partition), ' +
      '@time (ISO 8601 or ms); with -g only where the group has committed nothing; ' +
      'default: end, but start with -e or -g')
      .argParser(take.startAt))
    .option('-p, --partition <list>', 'only these partitions: 0 or 0,3', take.partitions)
    .option('-n, --count <n>', 'end after so many records', take.integer(1))
    .option('-e, --exit', 'end when the end found at start is reached')
    .option('-g, --group <name>', 'read as a member of this group: share the partitions with its other members,\n' +
      'commit, and go on where it stopped; with -p: commit for it, without being a member')
    .option('-q, --queue', 'share records, not partitions, with the other members of the group; each is\n' +
      'acknowledged when it is written. With -e: end when all that is there at start is finished')
    .option('--by-key', 'with --queue: records of one key one after the other')
    .option('--dead-letter <topic>', 'with --queue: where records go that were delivered too often')
    .option('--max-deliveries <n>', 'with --queue: deliveries before that (default: 5)', take.integer(0, 1_000))
    .addOption(new Option('-f, --format <text>', '%t topic, %p partition, %o offset, %T timestamp, %k key, %v value, ' +
      '%s size of the value, %h headers, %%, \\n, \\t').conflicts('json'))
    .option('--json', 'one JSON object a line')
    .addOption(timeout('how long to do without a broker or a leader'))
    .action(ends(async (name: string, options) => (await import('./consume.ts')).consume(name, options)))
}

function groupCommands (program: Command): void {
  const group = program.command('group').description('list, describe, reset and delete consumer groups')
    .addHelpText('before', examples('millrace group describe audit', 'millrace group reset audit --to start --dry-run'))

  toBrokers(group.command('list')).description('list groups')
    .addHelpText('before', examples('millrace group list', 'millrace group list --json | jq .group'))
    .option('--json', 'one JSON object a line')
    .addOption(timeout('how long to wait for the coordinators'))
    .action(ends(async options => (await import('./group-list.ts')).groupList(options)))

  toBrokers(group.command('describe <group>')).description('show members, committed offsets and lag')
    .addHelpText('before', examples('millrace group describe audit',
      "millrace group describe audit --json | jq '[.partitions[].lag] | add'"))
    .option('--json', 'as JSON')
    .addOption(timeout('how long to wait for the coordinator'))
    .action(ends(async (name: string, options) => (await import('./group-describe.ts')).groupDescribe(name, options)))

  toBrokers(group.command('reset <group>')).description('let a group without members go on from another place')
    .addHelpText('before', examples('millrace group reset audit --to start --dry-run',
      'millrace group reset audit --to @2026-05-01T12:00:00Z --topic orders'))
    .addOption(new Option('--to <where>', 'start, end, an offset, -n (the last n of each partition), ' +
      '@time (ISO 8601 or ms)').argParser(take.startAt).makeOptionMandatory())
    .option('--topic <names...>', 'only these topics (default: those that it has committed)')
    .option('-p, --partition <list>', 'only these partitions: 0 or 0,3', take.partitions)
    .option('--dry-run', 'show what would be, change nothing')
    .option('--json', 'one JSON object a line')
    .addOption(timeout('how long to wait for brokers'))
    .action(ends(async (name: string, options) => (await import('./group-reset.ts')).groupReset(name, options)))

  toBrokers(group.command('delete <group>')).description('forget a group without members, with what it committed')
    .addHelpText('before', examples('millrace group delete audit'))
    .addOption(timeout('how long to wait for the coordinator'))
    .action(ends(async (name: string, options) => (await import('./group-delete.ts')).groupDelete(name, options)))
}

function clusterCommands (program: Command): void {
  const cluster = program.command('cluster').description('look at the cluster, restore its tables')
    .addHelpText('before', examples('millrace cluster describe', 'millrace cluster restore --dry-run'))
  toKubernetes(cluster.command('describe')).description('show the state of a Cluster')
    .addHelpText('before', examples('millrace cluster describe', 'millrace cluster describe --json | jq .conditions'))
    .option('--json', 'its status as JSON')
    .addOption(timeout('how long to wait for the Kubernetes API'))
    .action(ends(async options => (await import('./cluster-describe.ts')).clusterDescribe(options)))

  toController(cluster.command('restore'))
    .description('show how partition tables that were lost, or rolled back, are rebuilt from what brokers report;\n' +
      'it goes by itself once every broker is there. --without gives up brokers that never come back, and with\n' +
      'them what only they know')
    .addHelpText('before', examples('millrace cluster restore --dry-run', 'millrace cluster restore --without 2'))
    .option('--without <brokers>', 'brokers that are not waited for any more', take.brokers)
    .option('--dry-run', 'show what would be, change nothing')
    .option('--json', 'one JSON object a line')
    .addOption(timeout('how long to wait for the controller'))
    .action(ends(async options => (await import('./cluster-restore.ts')).clusterRestore(options)))
}

function brokerCommands (program: Command): void {
  const broker = program.command('broker').description('send brokers into maintenance, help those whose volume is lost')
    .addHelpText('before', examples('millrace broker maintenance 1 on', 'millrace broker replace-volume 2 --dry-run'))

  toKubernetes(broker.command('maintenance <broker> <state>'))
    .description('say that a broker may be away for a while (on), or that it is back (off). Others lead meanwhile,\n' +
      'it is not missed and not restarted; on returns when it leads nothing and may be stopped. Writes\n' +
      'spec.maintenance of the Cluster: where that comes from a repository, change it there too.')
    .addHelpText('before', examples('millrace broker maintenance 1 on', 'kubectl millrace broker maintenance 1 off'))
    .option('--no-wait', 'return at once')
    .option('--json', 'as JSON')
    .addOption(timeout('how long to wait for the Kubernetes API, and until it leads nothing'))
    .action(ends(async (name: string, state: string, options) =>
      (await import('./broker-maintenance.ts')).brokerMaintenance(name, state, options)))

  toController(broker.command('replace-volume <broker>'))
    .description('give a broker an empty volume in place of one that never comes back (its node is gone).\n' +
      'Deletes its PersistentVolumeClaim and its pod; the broker begins anew under the same id and copies what it\n' +
      'is to hold. Refused while the broker runs, or while any partition has no leader: then the volume may hold\n' +
      'the only copy of a record.')
    .addHelpText('before', examples('millrace broker replace-volume 2 --dry-run',
      'millrace broker replace-volume 2 --yes'))
    .option('-y, --yes', 'do it; without this nothing is changed')
    .option('--dry-run', 'check and show what would be')
    .option('--json', 'as JSON')
    .addOption(timeout('how long to wait for the Kubernetes API and the controller'))
    .action(ends(async (name: string, options) =>
      (await import('./broker-replace-volume.ts')).brokerReplaceVolume(name, options)))
}

function planCommand (program: Command): void {
  toKubernetes(program.command('plan'))
    .description('show what would happen if these objects were applied: what is refused, which brokers restart and\n' +
      'why, which volumes grow, what moves and about how many bytes. Changes nothing.')
    .addHelpText('before', examples('millrace plan -f cluster.yaml', 'kubectl millrace plan -f cluster.yaml',
      "millrace plan -f cluster.yaml -f topics.yaml --json | jq 'select(.action == \"refused\")'"))
    .requiredOption('-f, --file <files...>', 'YAML or JSON with Clusters and Topics; - for stdin')
    .option('--controller <address>', 'host:port of the admin service (default: as the Lease of the Cluster says)',
      take.address)
    .option('--json', 'one JSON object a line')
    .addOption(timeout('how long to wait for the Kubernetes API and the controller'))
    .action(ends(async options => (await import('./plan.ts')).plan(options)))
}

export function program (): Command {
  const millrace = new Command('millrace')
    .description('Kafka-style streams as Kubernetes resources.\n' +
      'Data goes to stdout; notes, beginning with %, to stderr.')
    .addHelpText('before', examples('millrace topic create numbers --partitions 6',
      'seq 1 1000000 | millrace produce numbers', 'millrace consume numbers -o start -e | wc -l'))
    .addHelpText('after', `\n${exitCodesHelp}\n\nEvery command explains itself: millrace <command> --help`)
    .version(manifest.version)
    .showHelpAfterError('% --help explains')
    .configureOutput({ outputError: (text, write) => { write(`% ${text}`) } })
    .exitOverride()
  topicCommands(millrace)
  partitionCommands(millrace)
  produceCommand(millrace)
  consumeCommand(millrace)
  groupCommands(millrace)
  clusterCommands(millrace)
  brokerCommands(millrace)
  planCommand(millrace)
  return millrace
}

export async function main (argv: readonly string[]): Promise<number> {
  try {
    await program().parseAsync(argv, { from: 'user' })
    return Number(process.exitCode ?? exitCodes.ok)
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage
    return report(error)
  }
}

/** How long the process may take to end by itself. */
const endMs = 3_000

/** The whole process: sets its exit code. */
export async function run (argv: readonly string[]): Promise<void> {
  process.exitCode = await main(argv)
  // Not process.exit: right after a busy loop it can hang for ever in Node 24, when a compiler thread waits
  // for a garbage collection that the thread which waits for it would have to do. Everything is closed here,
  // so the process ends by itself; what holds it up nevertheless is cut off.
  setTimeout(() => { process.exit() }, endMs).unref()
}

if (import.meta.main) await run(process.argv.slice(2))
