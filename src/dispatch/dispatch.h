/*
 * dispatch.h: sending what is in the outbox. What the dispatcher process (src/worker/dispatcher.c) calls, in this order:
 *
 *   wf_dispatch_begin                   once
 *   for (;;)
 *       if (wf_dispatch_wants(...))     in a transaction: wf_dispatch_work; then wf_dispatch_settle with how it ended
 *       wf_dispatch_move                sends, receives, notes what came; no transaction is open
 *       sleep on the latch and wf_dispatch_fd(), at most wf_dispatch_timeout_ms
 *
 * So no transaction is open while anything is on the wire, and nothing is on the wire before the transaction that records the
 * attempt has committed.
 */
#ifndef WF_DISPATCH_DISPATCH_H
#define WF_DISPATCH_DISPATCH_H

#include "postgres.h"
#include "datatype/timestamp.h"

/* Lets the engine perform requests at once (store/request.h); once from _PG_init. */
extern void wf_dispatch_init(void);

/* Makes the state of this process, in TopMemoryContext. Throws 58000 when libcurl is too old. */
extern void wf_dispatch_begin(void);

/* Notes what the process was told (WfDispatchCall; -1: everything is to be looked at). Is there anything to record or to claim now? */
extern bool wf_dispatch_wants(int calls);

/* Records what has ended and claims what is due, within limits. Needs a transaction; results live in `memory`, which is to be reset after settling. Throws what the store throws. */
extern void wf_dispatch_work(MemoryContext memory);

/* The transaction has committed, or ended with this error: then all is as before it. */
extern void wf_dispatch_settle(const ErrorData *error);

/* Throws for lack of memory only. */
extern void wf_dispatch_move(void);

extern int	wf_dispatch_fd(void);
/* 0: move again at once; -1: nothing will happen by itself. */
extern long wf_dispatch_timeout_ms(void);
/* What is wrong with lists of rules (src/net/net.h), in CurrentMemoryContext; NULL: nothing. Needs no dispatcher. */
extern char *wf_dispatch_rules_problem(const char *allow, const char *deny);
/* Nothing is in flight, and nothing in the outbox, as of the last look. */
extern bool wf_dispatch_is_idle(void);

#endif
