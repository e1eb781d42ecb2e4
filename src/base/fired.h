/*
 * fired.h: how often triggers fired and failed: statistics, in shared memory until the keeper saves them.
 *
 * Nothing here is durable, and none of it is worth a wait: a crash loses what was not saved, a clean shutdown what came
 * in the last second, a full table what came of triggers that had no place in it. Without shared_preload_libraries all of
 * it does nothing.
 */
#ifndef WF_BASE_FIRED_H
#define WF_BASE_FIRED_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "utils/uuid.h"

/* Triggers, of all databases, that fired or failed since that was saved last. */
#define WF_MOST_FIRED 4096

#define WF_FIRED_CODE_BYTES 32	/* with the NUL */
#define WF_FIRED_MESSAGE_BYTES 256

typedef struct WfFired
{
	pg_uuid_t	tenant_id;
	pg_uuid_t	trigger_id;
	int64		n_fired;
	TimestampTz fired_at;		/* 0: it did not fire */
	int64		n_failed;
	TimestampTz failed_at;		/* 0: it did not fail */
	char		code[WF_FIRED_CODE_BYTES];	/* of the last failure: an SQLSTATE or a code of ours */
	char		message[WF_FIRED_MESSAGE_BYTES];
} WfFired;

/* -- whoever starts runs by triggers -- */

/*
 * The trigger fired n times: counted when the transaction commits, forgotten when it, or the subtransaction, is rolled back; a
 * prepared transaction forgets it, too. Cheap: many calls for one trigger cost a comparison each.
 */
extern void wf_fired_note(const pg_uuid_t *tenant_id, const pg_uuid_t *trigger_id, int64 n);
/*
 * The trigger failed: counted at once, since what failed is rolled back. Code and message, in the encoding of the
 * database, are clipped at a character; NULL is as good as "". Throws nothing.
 */
extern void wf_fired_failed(const pg_uuid_t *tenant_id, const pg_uuid_t *trigger_id, const char *code, const char *message);

/* -- the keeper of a database -- */

/* Is there anything to be saved? */
extern bool wf_fired_any(void);
/*
 * Hands out what there is of this database, at most `most`, in CurrentMemoryContext; how many. The transaction, which gets an id, is to
 * save it: what was taken goes when it commits, and is there again when it is rolled back. Not within a subtransaction.
 */
extern int	wf_fired_take(int most, WfFired **out);
/* Forgets what there is of this database: the extension is gone. */
extern void wf_fired_forget(void);

/* -- readers -- */

/*
 * What is not saved of the tenant's triggers of this database, one entry a trigger, in CurrentMemoryContext; how many. What is being
 * saved is among it if the active snapshot does not see that yet: so whoever adds it to wf.trigger_stat, in one statement, counts
 * nothing twice, and misses only what was saved between its snapshot and the look at it here.
 */
extern int	wf_fired_list(const pg_uuid_t *tenant_id, WfFired **out);

/* Asks for shared memory, when preloaded; once from _PG_init. */
extern void wf_fired_init(void);

#endif
