"""A client of millrace with nothing but grpcio and proto/: produces, consumes, resumes.

    python client.py produce host:port topic            lines key:value from stdin, offsets to stdout
    python client.py consume host:port topic [group]    JSON lines to stdout, up to the end of the topic

It shows the protocol (docs/protocol.md), and leaves out what the client library has beside it: several batches
in flight, compression. member.py is a member of a group.
"""
import json
import os
import queue
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../proto"))
import grpc  # noqa: E402
import record_batch  # noqa: E402
from record_batch import Record, murmur2  # noqa: E402

produce_pb, produce_rpc = grpc.protos_and_services("millrace/v1/produce.proto")
fetch_pb, fetch_rpc = grpc.protos_and_services("millrace/v1/fetch.proto")
metadata_pb, metadata_rpc = grpc.protos_and_services("millrace/v1/metadata.proto")
types_pb = grpc.protos("millrace/v1/types.proto")
offsets_pb, offsets_rpc = grpc.protos_and_services("millrace/v1/offsets.proto")

DELIVERY_TIMEOUT_S = 120
ANSWER_TIMEOUT_S = 5
CREDIT_BYTES = 1 << 20
# Kept here by hand: docs/errors.md says of each code whether the same request may succeed later.
FATAL = {
    "RECORD_TOO_LARGE", "CORRUPT_BATCH", "UNSUPPORTED_BATCH", "INVALID_TIMESTAMP", "INVALID_REQUEST",
    "INVALID_PRODUCER_EPOCH", "OUT_OF_ORDER_SEQUENCE", "OFFSET_OUT_OF_RANGE", "GROUP_NOT_EMPTY", "UNIMPLEMENTED",
}


class Refused(Exception):
    def __init__(self, detail):
        super().__init__(f"{detail.code}: {detail.message}")
        self.detail = detail
        self.retriable = detail.code not in FATAL


def refusal(error):
    """What a call that failed as a whole says in its trailers, where it says anything."""
    for name, value in error.trailing_metadata() or ():
        if name == "millrace-error-bin":
            return Refused(types_pb.ErrorDetail.FromString(value))
    return error


def check(answer):
    if answer.HasField("error"):
        raise Refused(answer.error)
    return answer


class Stream:
    """A bidirectional stream whose answers are read one by one, or go to `deliver(stream, answer)` as they come."""

    def __init__(self, call, deliver=None):
        self._requests = queue.SimpleQueue()
        self._answers = call(iter(self._requests.get, None))
        self._arrived = queue.SimpleQueue()
        self._deliver = deliver or (lambda _, answer: self._arrived.put(answer))
        # grpcio blocks its reader: one thread per stream, so that an answer can be waited for with a timeout.
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            for answer in self._answers:
                self._deliver(self, answer)
            self._deliver(self, ConnectionError("the broker closed the stream"))
        except grpc.RpcError as error:
            self._deliver(self, error)

    def send(self, request):
        self._requests.put(request)

    def receive(self, timeout_s):
        try:
            answer = self._arrived.get(timeout=timeout_s)
        except queue.Empty:
            raise TimeoutError(f"no answer within {timeout_s} s") from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self):
        self._requests.put(None)
        self._answers.cancel()


class Meant(grpc.UnaryUnaryClientInterceptor, grpc.StreamStreamClientInterceptor):
    """Says with each call which cluster is meant: a broker of another one may have the address by now."""

    def __init__(self, cluster):
        self._cluster = cluster

    def _say(self, proceed, details, requests):
        if self._cluster.uid:
            meant = ("millrace-cluster", self._cluster.uid)
            details = details._replace(metadata=(*(details.metadata or ()), meant))
        return proceed(details, requests)

    intercept_unary_unary = intercept_stream_stream = _say


class Cluster:
    """Who leads which partition, and where."""

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.uid = ""  # as the first answer says
        self.addresses = []
        self.channels = {}
        self.topics = {}

    def channel(self, address):
        if address not in self.channels:
            self.channels[address] = grpc.intercept_channel(grpc.insecure_channel(address), Meant(self))
        return self.channels[address]

    def refresh(self, topic):
        """Any broker answers. A row counts only when its (leader_epoch, version) is not below the known one."""
        was_made_again = False
        # The second is where it began: the others may all be addresses of pods that are gone.
        for address in dict.fromkeys([*self.addresses[:1], self.bootstrap, *self.addresses]):
            try:
                answer = check(metadata_rpc.MetadataServiceStub(self.channel(address)).GetMetadata(
                    metadata_pb.GetMetadataRequest(topics=[topic], include_internal=True), timeout=ANSWER_TIMEOUT_S))
            except (grpc.RpcError, Refused) as error:
                why = refusal(error) if isinstance(error, grpc.RpcError) else error
                if address == self.bootstrap and isinstance(why, Refused) and why.detail.code == "WRONG_BROKER":
                    was_made_again = True
                continue
            self.uid = self.uid or answer.cluster_uid
            brokers = {broker.broker_id: broker.client_address for broker in answer.brokers}
            self.addresses = list(brokers.values())
            random.shuffle(self.addresses)
            found = check(answer.topics[0])
            topic_id, _, known = self.topics.get(topic, ("", None, {}))
            if topic_id != found.topic.topic_id:
                known = {}
            for row in found.partitions:
                before = known.get(row.partition)
                if before is None or (row.leader_epoch, row.version) >= (before.leader_epoch, before.version):
                    known[row.partition] = row
            self.topics[topic] = (found.topic.topic_id, brokers, known)
            return
        if was_made_again:
            self.uid, self.addresses = "", []
            self.topics.clear()
        raise ConnectionError(f"no broker answers at {', '.join([self.bootstrap, *self.addresses])}")

    def partitions(self, topic):
        if topic not in self.topics:
            persist(lambda: self.refresh(topic))
        return len(self.topics[topic][2])

    def leader(self, topic, partition):
        """(topic id, address, leader epoch); asks again while there is no leader."""
        self.partitions(topic)
        topic_id, brokers, rows = self.topics[topic]
        row = rows[partition]
        if row.leader not in brokers:
            self.refresh(topic)
            raise ConnectionError(f"{topic}/{partition} has no leader now")
        return topic_id, brokers[row.leader], row.leader_epoch


def persist(attempt, failed=lambda: None):
    """Until it succeeds, with backoff and jitter; `failed` between two attempts."""
    deadline = time.monotonic() + DELIVERY_TIMEOUT_S
    pause_s = 0.02
    while True:
        try:
            return attempt()
        except (Refused, grpc.RpcError, OSError) as error:
            why = refusal(error) if isinstance(error, grpc.RpcError) else error
            if isinstance(why, Refused) and not why.retriable or time.monotonic() > deadline:
                raise why from error
        time.sleep(pause_s * random.uniform(0.5, 1.5))
        pause_s = min(1, 2 * pause_s)
        failed()


class Producer:
    """One batch in flight: the same bytes with the same sequence until they are acknowledged, so none is there twice."""

    def __init__(self, cluster, topic):
        self.cluster, self.topic = cluster, topic
        self.id, self.epoch = random.randrange(2**53), 0
        self.sequences = {}
        self.streams = {}
        self.correlation = 0

    def send(self, partition, records):
        """Returns the offset of the first record, when all of them are on disk on every replica in sync."""
        sequence = self.sequences.get(partition, 0)
        batch = record_batch.encode(records, self.id, self.epoch, sequence)
        offset = persist(lambda: self._try(partition, batch), self._failed)
        self.sequences[partition] = (sequence + len(records)) % 2**31
        return offset

    def _try(self, partition, batch):
        topic_id, address, _ = self.cluster.leader(self.topic, partition)
        if address not in self.streams:
            stub = produce_rpc.ProduceServiceStub(self.cluster.channel(address))
            self.streams[address] = Stream(stub.Produce)
        stream = self.streams[address]
        self.correlation += 1
        stream.send(produce_pb.ProduceRequest(
            correlation_id=self.correlation, topic=self.topic, topic_id=topic_id, partition=partition, batch=batch))
        while True:
            answer = stream.receive(ANSWER_TIMEOUT_S)
            if answer.correlation_id == self.correlation:
                return check(answer).base_offset

    def _failed(self):
        """A stream that broke or is silent is left; whoever leads now is asked for."""
        for stream in self.streams.values():
            stream.close()
        self.streams.clear()
        try:
            self.cluster.refresh(self.topic)
        except (OSError, Refused):
            pass


def consume(cluster, topic, partition, offset):
    """Yields the records from `offset` to what is the end when the leader is first asked."""
    def end_now():
        _, address, _ = cluster.leader(topic, partition)
        stub = offsets_rpc.OffsetsServiceStub(cluster.channel(address))
        query = offsets_pb.ListOffsetsRequest.Query(
            topic=topic, partition=partition, target=offsets_pb.OFFSET_TARGET_LATEST)
        answer = stub.ListOffsets(offsets_pb.ListOffsetsRequest(queries=[query]), timeout=ANSWER_TIMEOUT_S)
        return check(answer.results[0]).offset

    def refresh():
        try:
            cluster.refresh(topic)
        except (OSError, Refused):
            pass

    end = persist(end_now, refresh)
    position = offset

    def some():
        """Reads until the stream fails or the end is reached; `position` is where the next one goes on."""
        nonlocal position
        topic_id, address, epoch = cluster.leader(topic, partition)
        stream = Stream(fetch_rpc.FetchServiceStub(cluster.channel(address)).Fetch)
        try:
            stream.send(fetch_pb.FetchRequest(subscribe=fetch_pb.FetchRequest.Subscribe(
                subscription_id=1, topic=topic, topic_id=topic_id, partition=partition, offset=position,
                leader_epoch=epoch, credit_bytes=CREDIT_BYTES)))
            while position < end:
                answer = check(stream.receive(ANSWER_TIMEOUT_S))
                if not answer.records:
                    continue
                for record in record_batch.decode(answer.records):
                    # A batch that holds the offset wanted comes whole.
                    if record.offset >= position:
                        position = record.offset + 1
                        got.append(record)
                # What was used up is granted again: the broker sends no more than it may.
                stream.send(fetch_pb.FetchRequest(credit=fetch_pb.FetchRequest.Credit(
                    subscription_id=1, bytes=len(answer.records))))
                return
        finally:
            stream.close()

    got = []
    while position < end:
        persist(some, refresh)
        yield from got
        got.clear()


class Place:
    """What a group has read of a topic. A reader that chose its partitions itself commits without a member id."""

    def __init__(self, cluster, group):
        self.cluster, self.group = cluster, group

    def _ask(self, call):
        def attempt():
            coordinators = self.cluster.partitions("__groups")
            partition = (murmur2(self.group.encode()) & 0x7FFFFFFF) % coordinators
            _, address, _ = self.cluster.leader("__groups", partition)
            return check(call(offsets_rpc.OffsetsServiceStub(self.cluster.channel(address))))

        def failed():
            try:
                self.cluster.refresh("__groups")
            except (OSError, Refused):
                pass

        return persist(attempt, failed)

    def committed(self, topic):
        answer = self._ask(lambda stub: stub.GetCommittedOffsets(
            offsets_pb.GetCommittedOffsetsRequest(group=self.group), timeout=ANSWER_TIMEOUT_S))
        return {each.partition: each.offset for each in answer.offsets if each.topic == topic}

    def commit(self, topic, topic_id, places):
        offsets = [offsets_pb.CommittedOffset(topic=topic, topic_id=topic_id, partition=partition, offset=offset)
                   for partition, offset in places.items()]
        answer = self._ask(lambda stub: stub.CommitOffsets(
            offsets_pb.CommitOffsetsRequest(group=self.group, offsets=offsets), timeout=ANSWER_TIMEOUT_S))
        for each in answer.offsets:
            check(each)


def main_produce(bootstrap, topic):
    cluster = Cluster(bootstrap)
    partitions = cluster.partitions(topic)
    producer = Producer(cluster, topic)
    batches = {}
    for line in sys.stdin:
        key, _, value = line.rstrip("\n").partition(":")
        partition = (murmur2(key.encode()) & 0x7FFFFFFF) % partitions
        record = Record(key.encode(), value.encode(), int(time.time() * 1000), [("by", b"python")])
        batches.setdefault(partition, []).append(record)
        if len(batches[partition]) == 50:
            print(f"{partition}:{producer.send(partition, batches.pop(partition))}", flush=True)
    for partition, records in batches.items():
        print(f"{partition}:{producer.send(partition, records)}", flush=True)


def main_consume(bootstrap, topic, group=None):
    cluster = Cluster(bootstrap)
    place = Place(cluster, group) if group else None
    places = place.committed(topic) if place else {}
    for partition in range(cluster.partitions(topic)):
        for record in consume(cluster, topic, partition, places.get(partition, 0)):
            places[partition] = record.offset + 1
            print(json.dumps({
                "partition": partition, "offset": record.offset, "timestamp": record.timestamp,
                "key": record.key and record.key.decode(), "value": record.value and record.value.decode(),
                "headers": {name: value and value.decode() for name, value in record.headers},
            }), flush=True)
    if place and places:
        place.commit(topic, cluster.topics[topic][0], places)


if __name__ == "__main__":
    {"produce": main_produce, "consume": main_consume}[sys.argv[1]](*sys.argv[2:])
