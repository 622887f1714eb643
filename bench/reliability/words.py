"""What docs/reliability.md says in words."""

HEAD = """# Reliability

Written by `make chaos` (`bench/reliability`); the words stand in `bench/reliability/words.py`, the numbers in
`bench/results/chaos`. Do not edit by hand.

Threadline promises that what it acknowledged is answered once, whatever breaks. This page says exactly what that means,
what it does not mean, and how each promise is tested.
"""

PROMISES = """## What is promised

| promise | how | tested by |
|---|---|---|
| What was acknowledged has a row, and ends in words in its thread | one commit before the acknowledgement; deadlines; the sweep | `tests/chaos/test_chaos.py`, `tests/contract/test_front_door_trouble.py`, `tests/contract/test_job_ends.py` |
| A request is one job, however often Slack sends it | unique keys: the event, and the message | `tests/contract/test_front_door_repeats.py`, `tests/chaos/test_chaos.py` |
| A post appears once, after its card, in its thread | a lane has one holder; after an unclear outcome the thread is looked up by metadata first | `tests/unit/test_deliver_unclear.py`, `tests/contract/test_lanes.py`, `tests/chaos/test_chaos.py` |
| Calls in flight never exceed the limit, counted at the model server | leases; a lost lease closes the stream; a frozen worker is ended before its leases are ([decision 0017](decisions/0017-the-frozen-are-ended.md)) | `tests/chaos/test_frozen.py`, `tests/unit/test_deadman.py`, `tests/contract/test_line.py` |
| A worker that lost its claim writes nothing | a fence, raised by every claim | `tests/contract/test_line_fences.py` |
| The broker may lose everything | it carries bells; the sweep rings again every second | `tests/acceptance/test_bad_day.py`, `tests/chaos/test_chaos.py` |
| What kills its worker three times ends as failed, and what only ran beside it is answered | claims are counted; of calls that died together, one at a time gets its last claim ([decision 0040](decisions/0040-last-claims-one-at-a-time.md)) | `tests/contract/test_line_fences.py`, `tests/unit/test_sweep.py` |
| Deploys lose nothing and count against no request, if they give 30 s | after 20 s, calls and files that are read are given back | `tests/acceptance/test_lifecycle.py`, `tests/acceptance/test_rolling_deploy.py` |

## What is not promised

- **A model call is made at least once, not exactly once.** When a worker dies, its call is made again from the
  beginning: the server has worked for nothing, up to the whole answer where the worker died between the last token and
  its commit. The first call is closed before the second begins, so both never hold a slot. Three dead workers end the
  job as failed. The same holds when the server's answer breaks off (up to three attempts, six beside others), when the
  database cannot be written to for the length of a lease, and after a cancel. One answer is kept and posted.
- **Callbacks of the HTTP API come at least once**, each try with the same `Idempotency-Key`.
- **A word for one person's eyes comes at most once**: such a message cannot be looked up, so a try that ended without a word
  is not repeated. A slash command or a press whose acknowledgement got lost may have been heard all the same.
- **The limit, when the end of a connection does not arrive.** A worker closes a stream, the network swallows that, and the
  server goes on with the call while the slot is given to the next. The same when a whole machine or container is paused
  for longer than a lease, and the network keeps its connections. A machine that dies without a word is seen by the
  server only when TCP gives up. The links of the chaos suite hold bytes back, but not the end of a connection.
- **A post, when a whole machine is paused** between the last look at its lease and the call to Slack, for longer than a lease:
  it wakes up and posts once more. The same with a network that delivers a request after the look-up that did not find it.
- **Three workers killed by bad luck end a job as failed**, with a Retry button: by a machine that crashes, a platform that
  ends by force sooner than in 30 s, or a second job that kills its worker beside one that has its last claim.
- **What the database loses is lost.** SQLite syncs every commit; PostgreSQL must run with `synchronous_commit` on.
- **SQLite has one writer.** A process that freezes in the middle of its commit holds all others up, and nothing is
  acknowledged, until its watch ends it: for some 5 s ([decision 0049](decisions/0049-frozen-with-the-write-lock.md)). As
  process 1 of a container it cannot be ended, nor can a command that somebody stops there. PostgreSQL ends such a
  transaction after 10 s.
- **Recovery is a lease and a sweep** (30 s and 1 s, for calls, preparing and a channel's posts; 4 s where beat, the
  broker or `deliver` is away, [decision 0046](decisions/0046-whoever-could-take-it-sweeps.md)), plus the wait for a slot, and
  as long as the database or all of `infer` and `deliver` is down at that moment. The slots of a killed worker stay empty
  until then.
  A call whose workers died twice waits longer: until no other such call is out.
"""

NUMBERS = """How to read it:

- *Sent*: mentions, mentions in threads, direct messages, slash commands and HTTP requests, of 60 to 3,200 words. Meanwhile both
  stand-ins misbehave by chance: Slack refuses, times out before and after the effect and drops connections in about 13 of 100
  calls, events come twice, late, or as two; the model server refuses, breaks off, stalls and slows down in about 11 of 100.
  People press Cancel, and Retry twice.
- *Acknowledged*: a 2xx reached Slack's stand-in or the service that asked, perhaps after retries. What was not acknowledged
  may have got in all the same, and is judged as well, except that it may be missing.
- *Lost*: acknowledged, and its thread does not say in the end how it ended; or a job that got in and did not end.
- *Answered twice*: two jobs for one request, or two outcomes of one attempt. *Posted twice*: two messages with the same
  post's metadata. *In the wrong thread*: also an answer that holds another request's mark.
- *In flight* is counted by the model server's stand-in, from a call's arrival to its last token or its client's end.
- *Back in line*, *runs again*, *go on*: seconds from the SIGKILL of a worker that held a claim until the sweep had freed it, and
  until the same work was claimed again, with the number of such claims. A call that is back in line waits for its turn and
  for a slot; the slots of killed workers stay empty for a lease. Other faults go on meanwhile, so the calls that came back
  stand apart once more: those that go to their *last claim* wait for each other ([decision
  0040](decisions/0040-last-claims-one-at-a-time.md)); *without a sweep* are those that came back while nobody looked for
  over 5 s, by the moments that sweeps leave in the logs. Nobody can look while the database is down, or while all
  workers of `infer` and `deliver` are killed, frozen or cut off from it. A dash: none, or measured before there was such
  a row.
- *Stock Celery* has its tasks acknowledged late, rejected on a lost worker, a prefetch of one, a visibility timeout of 30 s
  and kombu's quickest redelivery: 8 threads in each of 2 workers, tasks of 50 ms, a backlog. Every task counts its runs
  in another Redis. *Answered twice* are tasks that ran to their end twice; its 20,000 tasks are shorter than our
  requests, so compare by kills and not by requests.
"""

SAFETY = """## What the safety costs

One process claims a step and records its answer, as fast as it can, in turns with and without the safety. *Without*, the
same statements neither write nor look at fence, lease and count of claims, and so count no calls in flight. *Beside* others,
a thread of the same process looks and renews for running calls at the product's pace.
"""
