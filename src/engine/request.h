/*
 * request.h: requests of steps as rows of the outbox.
 */
#ifndef WF_ENGINE_REQUEST_H
#define WF_ENGINE_REQUEST_H

#include "engine/state.h"

/* Writes the request that the open step asks for, in the subtransaction at hand; its id. Throws 55000 when there is nobody to send it. */
extern pg_uuid_t wf_request_insert(Run *run, const Frame *frame, const WfWait *wait);

/* Performs it within the transaction; what came of it is the reply. Throws 42501 without the right code:write, and what ends
 * the wait. */
extern void wf_request_perform_now(Run *run, const Frame *frame, const WfWait *wait, WfReply *reply);

#endif
