/*
 * subtransaction.h: work that may fail by itself.
 */
#ifndef WF_BASE_SUBTRANSACTION_H
#define WF_BASE_SUBTRANSACTION_H

#include "postgres.h"

/*
 * Does the work in a subtransaction of its own. NULL: it is done. Else why not, in CurrentMemoryContext, and all that it did is
 * rolled back, whatever subtransactions it left open. Throws what is nobody's but the session's (wf_error_is_fatal): cancel,
 * shutdown, lack of memory. `work` is called in CurrentMemoryContext, which is current again afterwards.
 */
extern ErrorData *wf_subtransaction(void (*work) (void *arg), void *arg);

#endif
