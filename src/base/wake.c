/*
 * wake.c: what a transaction leaves for others to do, told to them when it commits.
 *
 * 1. While it runs, a transaction notes what it did: messages for a role, a wait that ends then, a run that has ended, a
 *    run to be cancelled; and, for the launcher, a database that came to have the extension. Notes are in the
 *    transaction's memory, each with the subtransaction that made it, and go with that one when it is rolled back.
 * 2. They are acted on, all under one lock, when the commit is visible, other backends were told what to forget of their
 *    caches, and locks are released: whoever is woken finds all of it. Nothing there can fail. A transaction that noted
 *    nothing looks at two variables.
 * 3. A prepared transaction forgets its notes; COMMIT PREPARED, in whichever session, makes the keeper of the
 *    database look at everything (wf_wake_look_at_everything; the hook is in src/worker/command.c).
 * 4. Who holds messages back notes that, too; that is acted on when the locks are released, after a rollback as well.
 * 5. Awaits are entries of shared memory; whoever ends a run looks there only if there are any.
 *
 * Callbacks are registered once a backend. NOTIFY would do most of this at the price of a lock, server wide, in everybody's
 * commit.
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "base/clock.h"
#include "base/process.h"
#include "base/wake.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

typedef enum NoteKind
{
	NOTE_ROLE,
	NOTE_TENANT,
	NOTE_KEEPER,
	NOTE_AWAITERS,
	NOTE_INTERRUPT,
	NOTE_DATABASE,
	NOTE_LOOK,
	NOTE_DISPATCHER,
} NoteKind;

typedef struct Note
{
	NoteKind	kind;
	SubTransactionId subxact;
	union
	{
		Oid			role;
		Oid			database;
		TimestampTz when;
		pg_uuid_t	run_id;
		WfDispatchCall call;
		struct
		{
			Oid			role;
			pg_uuid_t	tenant_id;
		}			messages;		/* of a tenant with workers of its own */
	}			about;
} Note;

#define MOST_ENDS 16

/* In TopTransactionContext; NULL when there are none. */
static Note *notes = NULL;
static int	n_notes = 0;
static int	notes_size = 0;

/* Roles that are rung when locks are released. */
static Oid	ends[MOST_ENDS];
static int	n_ends = 0;
static bool ends_were_lost = false;

static bool awaits = false;
static bool unbars_at_end = false;	/* this transaction keeps our processes out until it ends */

#define LOOK_BACK 8				/* equal notes among so many of the last are noted once */

bool
wf_wake_available(void)
{
	return wf_processes != NULL;
}

/* -- noting -- */

static bool
same(const Note *a, const Note *b)
{
	if (a->kind != b->kind || a->subxact != b->subxact)
		return false;
	switch (a->kind)
	{
		case NOTE_ROLE:
			return a->about.role == b->about.role;
		case NOTE_TENANT:
			return a->about.messages.role == b->about.messages.role &&
				memcmp(&a->about.messages.tenant_id, &b->about.messages.tenant_id, sizeof(pg_uuid_t)) == 0;
		case NOTE_AWAITERS:
		case NOTE_INTERRUPT:
			return memcmp(&a->about.run_id, &b->about.run_id, sizeof(pg_uuid_t)) == 0;
		case NOTE_DATABASE:
			return a->about.database == b->about.database;
		case NOTE_DISPATCHER:
			return a->about.call == b->about.call;
		case NOTE_KEEPER:
		case NOTE_LOOK:
			return true;
	}
	return false;
}

static void
add_note(Note *note)
{
	if (wf_processes == NULL || !IsTransactionState())
		return;
	note->subxact = GetCurrentSubTransactionId();
	for (int i = n_notes - 1; i >= 0 && i >= n_notes - LOOK_BACK; i--)
	{
		if (!same(&notes[i], note))
			continue;
		if (note->kind == NOTE_KEEPER && note->about.when < notes[i].about.when)
			notes[i].about.when = note->about.when;
		return;
	}
	if (notes == NULL)
	{
		notes_size = 16;
		notes = MemoryContextAlloc(TopTransactionContext, sizeof(Note) * notes_size);
	}
	else if (n_notes == notes_size)
	{
		notes = repalloc_huge(notes, sizeof(Note) * notes_size * 2);
		notes_size *= 2;
	}
	notes[n_notes++] = *note;
}

void
wf_wake_role_at_commit(Oid role, const pg_uuid_t *tenant_id)
{
	/* whether this one does is found out when it is rung */
	if (wf_processes != NULL && pg_atomic_read_u32(&wf_processes->n_reserved) > 0)
		add_note(&(Note) {.kind = NOTE_TENANT, .about.messages = {role, *tenant_id}});
	else
		add_note(&(Note) {.kind = NOTE_ROLE, .about.role = role});
}

void
wf_wake_role_at_end(Oid role)
{
	if (wf_processes == NULL)
		return;
	for (int i = 0; i < n_ends; i++)
		if (ends[i] == role)
			return;
	if (n_ends < MOST_ENDS)
		ends[n_ends++] = role;
	else
		ends_were_lost = true;
}

void
wf_wake_keeper_at_commit(TimestampTz when)
{
	add_note(&(Note) {.kind = NOTE_KEEPER, .about.when = when});
}

void
wf_wake_dispatcher_at_commit(WfDispatchCall call)
{
	add_note(&(Note) {.kind = NOTE_DISPATCHER, .about.call = call});
}

void
wf_wake_awaiters_at_commit(const pg_uuid_t *run_id)
{
	add_note(&(Note) {.kind = NOTE_AWAITERS, .about.run_id = *run_id});
}

void
wf_wake_interrupt_at_commit(const pg_uuid_t *run_id)
{
	add_note(&(Note) {.kind = NOTE_INTERRUPT, .about.run_id = *run_id});
}

void
wf_wake_launcher_at_commit(Oid database)
{
	add_note(&(Note) {.kind = NOTE_DATABASE, .about.database = database});
}

void
wf_wake_look_at_commit(void)
{
	add_note(&(Note) {.kind = NOTE_LOOK});
}

void
wf_wake_unbar_at_end(void)
{
	unbars_at_end = true;
}

/* -- acting; the lock is held, nothing may fail -- */


static void
wake_awaiters(const pg_uuid_t *run_id)
{
	int			n = pg_atomic_read_u32(&wf_processes->n_awaits);

	for (int i = 0; i < n; i++)
		if (wf_awaits[i].database == MyDatabaseId &&
			(run_id == NULL || memcmp(&wf_awaits[i].run_id, run_id, sizeof(pg_uuid_t)) == 0))
			wf_process_wake_procno(wf_awaits[i].procno);
}

/* Whoever gets the run when it is undone is to know, before that can be. */
static void
note_cancelled(const pg_uuid_t *run_id)
{
	uint32		n = pg_atomic_read_u32(&wf_processes->n_cancelled);

	wf_processes->cancelled[n % WF_MOST_CANCELLED] = *run_id;
	pg_atomic_write_u32(&wf_processes->n_cancelled, n + 1);
}

static void
interrupt(const pg_uuid_t *run_id)
{
	/* also when nobody is at it: who has claimed it and is about to begin is to know, too */
	note_cancelled(run_id);
	for (int i = 0; i < wf_processes->n_workers; i++)
	{
		WfWorkerSlot *slot = &wf_worker_slots[i];
		bool		found;

		if (slot->process.pid == 0 || slot->process.pid == MyProcPid || slot->process.database != MyDatabaseId)
			continue;
		SpinLockAcquire(&slot->mutex);
		found = slot->executes && memcmp(&slot->run_id, run_id, sizeof(pg_uuid_t)) == 0;
		slot->interrupted |= found;
		SpinLockRelease(&slot->mutex);
		if (!found)
			continue;
		kill(slot->process.pid, SIGINT);
	}
}

static void
act(void)
{
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	for (int i = 0; i < n_notes; i++)
	{
		const Note *note = &notes[i];

		switch (note->kind)
		{
			case NOTE_ROLE:
				wf_process_ring(MyDatabaseId, note->about.role);
				break;
			case NOTE_TENANT:
				wf_process_ring_tenant(MyDatabaseId, note->about.messages.role, &note->about.messages.tenant_id);
				break;
			case NOTE_KEEPER:
				wf_process_tell_keeper(MyDatabaseId, note->about.when, false);
				break;
			case NOTE_AWAITERS:
				wake_awaiters(&note->about.run_id);
				break;
			case NOTE_INTERRUPT:
				interrupt(&note->about.run_id);
				break;
			case NOTE_DATABASE:
				wf_process_found(note->about.database);
				break;
			case NOTE_LOOK:
				wf_process_tell_keeper(MyDatabaseId, DT_NOEND, true);
				break;
			case NOTE_DISPATCHER:
				wf_process_ring_dispatcher(MyDatabaseId, note->about.call);
				break;
		}
	}
	LWLockRelease(wf_processes_lock);
}

void
wf_wake_look_at_everything(void)
{
	if (wf_processes == NULL)
		return;
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	wf_process_tell_keeper(MyDatabaseId, DT_NOEND, true);
	wake_awaiters(NULL);
	LWLockRelease(wf_processes_lock);
}

bool
wf_wake_may_be_cancelled(const pg_uuid_t *run_id)
{
	uint32		n = Min(pg_atomic_read_u32(&wf_processes->n_cancelled), WF_MOST_CANCELLED);

	for (uint32 i = 0; i < n; i++)
		if (memcmp(&wf_processes->cancelled[i], run_id, sizeof(pg_uuid_t)) == 0)
			return true;
	return false;
}

/* -- awaits -- */

static void
end_await_at_exit(int code, Datum arg)
{
	wf_wake_await_end();
}

void
wf_wake_await_begin(const pg_uuid_t *run_id)
{
	static bool registered = false;

	if (wf_processes == NULL)
		return;
	if (!registered)
	{
		before_shmem_exit(end_await_at_exit, (Datum) 0);
		registered = true;
	}
	wf_wake_await_end();
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	if (pg_atomic_read_u32(&wf_processes->n_awaits) < (uint32) MaxBackends)
	{
		int			n = pg_atomic_read_u32(&wf_processes->n_awaits);

		wf_awaits[n] = (WfAwait)
		{
			.run_id = *run_id, .database = MyDatabaseId, .procno = wf_process_my_procno()
		};
		pg_atomic_write_u32(&wf_processes->n_awaits, n + 1);
		awaits = true;
	}
	LWLockRelease(wf_processes_lock);
}

void
wf_wake_await_end(void)
{
	int			n;

	if (!awaits)
		return;
	awaits = false;
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	n = pg_atomic_read_u32(&wf_processes->n_awaits);
	for (int i = 0; i < n; i++)
	{
		if (wf_awaits[i].procno != wf_process_my_procno())
			continue;
		wf_awaits[i] = wf_awaits[n - 1];
		pg_atomic_write_u32(&wf_processes->n_awaits, n - 1);
		break;
	}
	LWLockRelease(wf_processes_lock);
}

/* -- ends of transactions -- */

static void
forget(void)
{
	notes = NULL;
	n_notes = 0;
	notes_size = 0;
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
			break;				/* at_release deals with the notes */
		case XACT_EVENT_PREPARE:
			forget();
			break;
		default:
			return;
	}
	if (awaits)
		wf_wake_await_end();
	if (unbars_at_end)
	{
		unbars_at_end = false;
		wf_process_unbar(InvalidOid);
	}
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	int			n = 0;

	if (event == SUBXACT_EVENT_ABORT_SUB && awaits)
		wf_wake_await_end();
	if (n_notes == 0 || (event != SUBXACT_EVENT_ABORT_SUB && event != SUBXACT_EVENT_COMMIT_SUB))
		return;
	if (event == SUBXACT_EVENT_COMMIT_SUB)
	{
		for (int i = n_notes - 1; i >= 0 && notes[i].subxact >= mine; i--)
			notes[i].subxact = parent;
		return;
	}
	/* subtransactions within it have handed theirs over, or are gone */
	for (int i = 0; i < n_notes; i++)
		if (notes[i].subxact != mine)
			notes[n++] = notes[i];
	n_notes = n;
}

static void
ring_ends(void)
{
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	for (int i = 0; i < n_ends; i++)
		wf_process_ring(MyDatabaseId, ends[i]);
	if (ends_were_lost)
		wf_process_tell_keeper(MyDatabaseId, DT_NOEND, true);
	LWLockRelease(wf_processes_lock);
}

/* A rollback of a subtransaction lets go of locks, too; there may be others that are held until the end. */
static void
at_release(ResourceReleasePhase phase, bool is_commit, bool is_top, void *arg)
{
	if (phase != RESOURCE_RELEASE_AFTER_LOCKS || (is_commit && !is_top))
		return;
	if (is_commit && n_notes > 0)
		act();
	if (n_ends > 0)
		ring_ends();
	if (!is_top)
		return;
	forget();
	n_ends = 0;
	ends_were_lost = false;
}

void
wf_wake_init(void)
{
	if (process_shared_preload_libraries_in_progress)
		wf_process_init();
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
	RegisterResourceReleaseCallback(at_release, NULL);
}
