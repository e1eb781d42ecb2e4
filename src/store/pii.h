/*
 * pii.h: personal data of runs, kept apart from them (wf.pii), and what only the engine may read of those that are alive.
 */
#ifndef WF_STORE_PII_H
#define WF_STORE_PII_H

#include "store/store.h"

/* What the tokens of a run's segment stand for. */
extern void wf_store_put_pii(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id, int segment, Jsonb *values);
/* Of all of its segments (Jsonb *). */
extern List *wf_store_pii_of_run(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id);
/* With the values in their places if `may_see`, else with masks. The same where there are no tokens. In CurrentMemoryContext. */
extern Jsonb *wf_store_shown(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id, bool may_see, Jsonb *json);

/* The same for the output and the error of a run that has ended: who started it sees them as well. */
struct WfRunState;
extern void wf_store_show_state(const WfTenant *tenant, const pg_uuid_t *run_id, struct WfRunState *state);

/* What members may not read of a start, or of a live run, as one value; the way back; and what they see instead. */
extern Jsonb *wf_store_seal(const Jsonb *input, const Jsonb *options, const Jsonb *known);
extern void wf_store_unseal(const Jsonb *sealed, Jsonb **input, Jsonb **options, Jsonb **known);
extern Jsonb *wf_store_mask(void);
extern Jsonb *wf_store_shown_options(const Jsonb *options);

/*
 * Erases the value from everything that is known of the tenant's runs, at a path or (NULL) everywhere, and notes that it did
 * (forget.c). How many places. Waits for messages that workers are at.
 */
extern int64 wf_store_forget(const pg_uuid_t *tenant_id, const char *path, Jsonb *value);

#endif
