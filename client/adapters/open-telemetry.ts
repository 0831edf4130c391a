// Spans by the OpenTelemetry API, where the application has it installed; without an SDK behind it, none are made.
// Names and attributes: OpenTelemetry semantic conventions for messaging, 1.27.
import type * as Api from '@opentelemetry/api'
import { utf8 } from '../../wire/bytes.ts'
import type { Header } from '../../wire/batch-builder.ts'
import type { ConsumerRecord } from '../consumer-options.ts'
import { MillraceError } from '../errors.ts'
import type { Tracing } from '../tracing.ts'

/** Optional: an application without it has no spans. */
const api: typeof Api | undefined = await import('@opentelemetry/api').then(module => module, () => undefined)

const decoder = new TextDecoder()

const setter = {
  set: (carrier: Header[], key: string, value: string) => { carrier.push({ key, value: utf8(value) }) }
}

const getter = {
  keys: (carrier: readonly Header[]) => carrier.map(({ key }) => key),
  get: (carrier: readonly Header[], key: string) => {
    const value = carrier.find(header => header.key === key)?.value
    return value === undefined || value === null ? undefined : decoder.decode(value)
  }
}

function attributes (operation: string, type: 'send' | 'process', topic: string): Record<string, string> {
  return {
    'messaging.system': 'millrace',
    'messaging.operation.name': operation,
    'messaging.operation.type': type,
    'messaging.destination.name': topic
  }
}

function fail ({ SpanStatusCode }: typeof Api, span: Api.Span, error: unknown): void {
  const failure = error instanceof Error ? error : new Error(String(error))
  const { message } = failure
  span.recordException(failure)
  span.setAttribute('error.type', failure instanceof MillraceError ? failure.code : failure.name)
  span.setStatus({ code: SpanStatusCode.ERROR, message })
}

function tracingBy (otel: typeof Api): Tracing {
  const { context, propagation, trace, SpanKind } = otel
  const tracer = trace.getTracer('millrace')
  return {
    send: topic => {
      const span = tracer.startSpan(`send ${topic}`,
        { kind: SpanKind.PRODUCER, attributes: attributes('send', 'send', topic) })
      if (!trace.isSpanContextValid(span.spanContext())) return undefined
      const headers: Header[] = []
      propagation.inject(trace.setSpan(context.active(), span), headers, setter)
      return {
        headers,
        sent: ({ partition, offset }) => {
          span.setAttribute('messaging.destination.partition.id', String(partition))
          span.setAttribute('messaging.kafka.offset', offset)
          span.end()
        },
        failed: error => {
          fail(otel, span, error)
          span.end()
        }
      }
    },
    process: async (record, group, work) => {
      const parent = propagation.extract(context.active(), record.headers, getter)
      const span = tracer.startSpan(`process ${record.topic}`,
        { kind: SpanKind.CONSUMER, attributes: processing(record, group) }, parent)
      try {
        return await context.with(trace.setSpan(parent, span), work)
      } catch (error) {
        fail(otel, span, error)
        throw error
      } finally {
        span.end()
      }
    }
  }
}

function processing (record: ConsumerRecord<unknown, unknown>, group: string | undefined): Api.Attributes {
  return {
    ...attributes('process', 'process', record.topic),
    'messaging.destination.partition.id': String(record.partition),
    'messaging.kafka.offset': record.offset,
    ...group !== undefined && { 'messaging.consumer.group.name': group }
  }
}

/** Undefined when @opentelemetry/api is not installed. */
export const tracing: Tracing | undefined = api === undefined ? undefined : tracingBy(api)
