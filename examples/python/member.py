"""A member of a group, with nothing but grpcio and proto/: docs/protocol.md, "Groups", step by step.

    python member.py host:port topic group [session timeout in s]

Shares the topic's partitions with the other members of the group, in whatever language they are, and prints what
happens as JSON lines: {"assigned": [0, 2]}, {"partition": 0, "offset": 7, "value": "..."}, {"released": [2]},
{"lost": [0]}. A record is finished when it is printed; what is finished is committed every second. SIGTERM and
SIGINT commit and leave.
"""
import json
import queue
import random
import secrets
import signal
import sys
import time

import client
import record_batch
from client import ANSWER_TIMEOUT_S, CREDIT_BYTES, Cluster, Refused, Stream, check, fetch_pb, grpc, offsets_pb
from record_batch import murmur2

groups_pb, groups_rpc = grpc.protos_and_services("millrace/v1/groups.proto")

COMMIT_EVERY_S = 1
# An answer that the coordinator owes for so long: whoever leads now is looked for.
SILENT_S = 1
LEAVE_TIMEOUT_S = 1
# What ends the membership for good; everything else may pass, or is another beginning.
ENDS = {"FENCED_INSTANCE", "GROUP_TOO_LARGE", "INVALID_REQUEST", "INCONSISTENT_GROUP"}
PASSES = (Refused, grpc.RpcError, OSError)


def say(**what):
    print(json.dumps(what), flush=True)


class Reading:
    """One partition that the member holds, in the epoch in which it was given to it."""

    def __init__(self, topic_id, partition, epoch):
        self.topic_id, self.partition, self.epoch = topic_id, partition, epoch
        self.key = (topic_id, partition)
        self.position = None  # the next offset to read; None: it is not known where to begin
        self.committed = None
        self.leader_epoch = -1  # the newest that is known
        self.subscription = None
        self.address = None


class Member:
    def __init__(self, cluster, topic, group, session_timeout_s):
        self.cluster, self.topic, self.group = cluster, topic, group
        self.session_timeout_s = session_timeout_s
        self.id = secrets.token_hex(8)
        self.epoch = self.attempt = self.sequence = self.subscriptions = 0
        self.asked_at = time.monotonic()
        self.held = {}  # by (topic id, partition)
        self.inbox = queue.SimpleQueue()  # (stream, answer): of the coordinator and of the brokers read from
        self.session = None
        self.fetches = {}  # address -> stream
        self.parked = []  # answers that came while others may have been reading the partitions
        self.retry_at = self.beat_at = self.commit_at = self.subscribe_at = 0
        self.pause_s = 0.02
        self.owed_since = None  # when the first heartbeat was sent that has no answer yet
        self.is_joined = False  # an assignment has come on this stream
        # When the last message was sent that was answered: a session timeout later others may have the partitions.
        self.joined_at = self.sent_at = self.proven_at = time.monotonic()
        self.leaving = False

    def run(self):
        while not self.leaving:
            self.turn()
            if time.monotonic() >= self.commit_at:
                self.commit(self.held.values())
                self.commit_at = time.monotonic() + COMMIT_EVERY_S
        self.commit(self.held.values())
        self._leave()

    def turn(self):
        """What is to be done now, and one answer."""
        self._keep_session()
        self._find_starts()
        self._subscribe()
        self._receive(0.05)

    def _receive(self, timeout_s):
        """One answer, of whichever stream."""
        try:
            stream, answer = self.inbox.get(timeout=timeout_s)
        except queue.Empty:
            return
        if stream is self.session:
            self._heard(answer)
        elif stream in self.fetches.values():
            self._fetched(stream, answer)

    # The coordinator

    def _coordinator(self):
        partition = (murmur2(self.group.encode()) & 0x7FFFFFFF) % self.cluster.partitions("__groups")
        _, address, _ = self.cluster.leader("__groups", partition)
        return self.cluster.channel(address)

    def _stream(self, call):
        return Stream(call, lambda *answer: self.inbox.put(answer))

    def _keep_session(self):
        """Seeks the coordinator, joins with everything that is held, says that it lives."""
        now = time.monotonic()
        if self.session is None:
            if now < self.retry_at:
                return
            try:
                stub = groups_rpc.GroupsServiceStub(self._coordinator())
            except PASSES as error:
                self._seek_again(error)
                return
            self.session = self._stream(stub.GroupSession)
            self.attempt += 1
            self.is_joined = False
            # Answered when it is durable, which may take its time; a heartbeat, which is answered at once, follows.
            self.joined_at = self.beat_at = now
            self._tell(join=groups_pb.GroupSessionRequest.Join(
                group=self.group, member_id=self.id, topics=[self.topic], client="member.py",
                session_timeout_ms=int(self.session_timeout_s * 1000), release_timeout_ms=60_000,
                held=self._as_held(self.held.values()), attempt=self.attempt, member_epoch=self.epoch,
                asking_ms=int((now - self.asked_at) * 1000)))
        elif self.owed_since is not None and now - self.owed_since > SILENT_S:
            self._seek_again(TimeoutError("the coordinator is silent"))
        elif now >= self.beat_at:
            self.sent_at, self.beat_at = now, now + self.session_timeout_s / 5
            self.owed_since = now if self.owed_since is None else self.owed_since
            self._tell(heartbeat=groups_pb.GroupSessionRequest.Heartbeat())

    def _tell(self, **request):
        if self.session is not None:
            self.session.send(groups_pb.GroupSessionRequest(**request))

    def _seek_again(self, error):
        """What is held stays held."""
        if self.session is not None:
            self.session.close()
        self.session = self.owed_since = None
        detail = getattr(client.refusal(error) if isinstance(error, grpc.RpcError) else error, "detail", None)
        pause_s = self.pause_s * random.uniform(0.5, 1)
        self.pause_s = min(0.5, 2 * self.pause_s)
        self.retry_at = time.monotonic() + max(pause_s, detail.retry_after_ms / 1000 if detail else 0)
        self._refresh("__groups")

    def _try_again(self):
        """What is not read is subscribed to anew, after a pause."""
        self.subscribe_at = time.monotonic() + random.uniform(0.05, 0.2)
        self._refresh(self.topic)

    def _refresh(self, topic):
        try:
            self.cluster.refresh(topic)
        except PASSES:
            pass

    def _heard(self, answer):
        if isinstance(answer, Exception):
            self._seek_again(answer)
            return
        kind = answer.WhichOneof("response")
        if kind == "error":
            refused = Refused(answer.error)
            if answer.error.code in ENDS:
                raise refused
            if answer.error.code == "FENCED_MEMBER":
                self._lose(list(self.held.values()))
            self._seek_again(refused)
            return
        self.pause_s = 0.02
        if kind == "alive":
            self.owed_since = None
            # Before its first assignment on a stream it may be no member any more, and not know it.
            if self.is_joined:
                self.proven_at = self.sent_at
        elif kind == "assignment" and not self.is_joined:
            self.is_joined, self.proven_at = True, self.joined_at
        if kind == "assignment":
            self._assigned(answer.assignment)
        if not self._is_suspended():
            parked, self.parked = self.parked, []
            for each in parked:
                self._hand_out(*each)

    def _is_suspended(self):
        return time.monotonic() - self.proven_at > self.session_timeout_s

    @staticmethod
    def _as_held(readings):
        return [groups_pb.HeldPartitions(topic_id=each.topic_id, partitions=[each.partition], epochs=[each.epoch])
                for each in readings]

    # Partitions come and go

    def _assigned(self, assignment):
        self.epoch = assignment.member_epoch
        mine = {(each.topic_id, partition): epoch for each in assignment.partitions
                for partition, epoch in zip(each.partitions, each.epochs)}
        # With another epoch it was somebody else's in between.
        self._lose([each for key, each in self.held.items() if mine.get(key, each.epoch) != each.epoch])
        gone = [each for key, each in self.held.items() if key not in mine]
        if gone:
            # Nothing of them is in hand: a record is finished when it is printed.
            self.commit(gone)
            for each in gone:
                self._forget(each)
            self._tell(release=groups_pb.GroupSessionRequest.Release(partitions=self._as_held(gone)))
            say(released=sorted(each.partition for each in gone))
        come = [key for key in mine if key not in self.held]
        for key in come:
            self.held[key] = Reading(*key, mine[key])
        if come:
            say(assigned=sorted(partition for _, partition in come))

    def _lose(self, readings):
        for each in readings:
            self._forget(each)
        if readings:
            say(lost=sorted(each.partition for each in readings))

    def _forget(self, reading):
        if reading.subscription is not None and reading.address in self.fetches:
            self.fetches[reading.address].send(fetch_pb.FetchRequest(
                unsubscribe=fetch_pb.FetchRequest.Unsubscribe(subscription_id=reading.subscription)))
        reading.subscription = None
        self.held.pop(reading.key, None)

    # Where the group stands

    def _offsets(self, call):
        """One attempt; None when it did not succeed. Later is early enough."""
        try:
            return check(call(client.offsets_rpc.OffsetsServiceStub(self._coordinator())))
        except PASSES:
            self._refresh("__groups")
            return None

    def _find_starts(self):
        new = [each for each in self.held.values() if each.position is None]
        if not new:
            return
        asked = [offsets_pb.CommittedOffset(topic=self.topic, topic_id=each.topic_id, partition=each.partition)
                 for each in new]
        answer = self._offsets(lambda stub: stub.GetCommittedOffsets(offsets_pb.GetCommittedOffsetsRequest(
            group=self.group, offsets=asked, member_id=self.id, member_epoch=self.epoch), timeout=ANSWER_TIMEOUT_S))
        if answer is None:
            return
        found = {(each.topic_id, each.partition): each for each in answer.offsets}
        for each in new:
            place = found.get(each.key)
            # Nothing is committed: from the start. An offset that is not there any more is corrected by the leader.
            each.position = each.committed = 0 if place is None else place.offset
            each.leader_epoch = -1 if place is None else place.leader_epoch

    def commit(self, readings):
        """What was finished, as the member that it is now. What is refused is another's: it is not tried again."""
        open_ = [each for each in readings if each.position is not None and each.position != each.committed]
        if not open_:
            return
        places = [each.position for each in open_]
        self.sequence += 1
        request = offsets_pb.CommitOffsetsRequest(
            group=self.group, member_id=self.id, member_epoch=self.epoch, sequence=self.sequence,
            offsets=[offsets_pb.CommittedOffset(
                topic=self.topic, topic_id=each.topic_id, partition=each.partition, offset=each.position,
                leader_epoch=each.leader_epoch) for each in open_])
        answer = self._offsets(lambda stub: stub.CommitOffsets(request, timeout=ANSWER_TIMEOUT_S))
        if answer is None:
            return
        for each, place, result in zip(open_, places, answer.offsets):
            if not result.HasField("error"):
                each.committed = place
            elif result.error.code == "FENCED_MEMBER":
                each.committed = place
                say(refused=each.partition, offset=place)

    # Reading

    def _subscribe(self):
        if time.monotonic() < self.subscribe_at:
            return
        for each in self.held.values():
            if each.subscription is not None or each.position is None:
                continue
            try:
                _, each.address, epoch = self.cluster.leader(self.topic, each.partition)
            except PASSES:
                continue
            if each.address not in self.fetches:
                stub = client.fetch_rpc.FetchServiceStub(self.cluster.channel(each.address))
                self.fetches[each.address] = self._stream(stub.Fetch)
            self.subscriptions += 1
            each.subscription = self.subscriptions
            each.leader_epoch = max(each.leader_epoch, epoch)
            self.fetches[each.address].send(fetch_pb.FetchRequest(subscribe=fetch_pb.FetchRequest.Subscribe(
                subscription_id=each.subscription, topic=self.topic, topic_id=each.topic_id,
                partition=each.partition, offset=each.position, leader_epoch=each.leader_epoch,
                credit_bytes=CREDIT_BYTES)))

    def _fetched(self, stream, answer):
        if isinstance(answer, Exception):
            broken = [address for address, each in self.fetches.items() if each is stream]
            for address in broken:
                self.fetches.pop(address).close()
            for each in self.held.values():
                if each.address in broken:
                    each.subscription = None
            self._try_again()
        elif self._is_suspended():
            self.parked.append((stream, answer))
        else:
            self._hand_out(stream, answer)

    def _hand_out(self, stream, answer):
        found = [each for each in self.held.values() if each.subscription == answer.subscription_id]
        if not found:
            return  # It is not the member's any more.
        reading = found[0]
        if answer.HasField("error"):
            reading.subscription = None
            if answer.error.code == "OFFSET_OUT_OF_RANGE":
                is_gone = reading.position < answer.error.log_start
                reading.position = answer.error.log_start if is_gone else answer.error.high_watermark
            self._try_again()
            return
        reading.leader_epoch = max(reading.leader_epoch, answer.leader_epoch)
        for record in record_batch.decode(answer.records):
            if record.offset >= reading.position:
                say(partition=reading.partition, offset=record.offset, value=(record.value or b"").decode())
                reading.position = record.offset + 1
        if answer.records:
            stream.send(fetch_pb.FetchRequest(credit=fetch_pb.FetchRequest.Credit(
                subscription_id=reading.subscription, bytes=len(answer.records))))

    # The end

    def _leave(self):
        self._tell(leave=groups_pb.GroupSessionRequest.Leave(final=True))
        deadline = time.monotonic() + LEAVE_TIMEOUT_S
        while self.session is not None and time.monotonic() < deadline:
            try:
                stream, answer = self.inbox.get(timeout=0.05)
            except queue.Empty:
                continue
            if stream is self.session and (isinstance(answer, Exception) or answer.HasField("left")):
                self.session.close()
                self.session = None
        for stream in self.fetches.values():
            stream.close()
        say(left=True)


def main(bootstrap, topic, group, session_timeout_s=10):
    member = Member(Cluster(bootstrap), topic, group, float(session_timeout_s))

    def stop(*_):
        member.leaving = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    member.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
