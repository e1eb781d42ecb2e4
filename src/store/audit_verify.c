/*
 * audit_verify.c: does a trail hold?
 *
 * Entries are read in their order, one at a time, whatever their number: each is to follow the one before by its number and by
 * that one's hash, its hash is to be that of its text, its MAC that of its hash. In the end the head is to name the last one, and
 * the first that is kept. So a change of anything is found where it was made, a removal at the beginning and at the end by the head,
 * in the middle by a number; an entry that was made by hand by its MAC.
 *
 * What one MAC vouches for: all that is before it, as it was when the MAC was made. So entries of an earlier master key, which the
 * server may have no more, hold if an entry of the present key comes later and the old key was there to check the end of the
 * trail when the first of these was written. What was written without a key, before or between, is vouched for by nobody, and
 * said to be so each time: or else who can write tables would take all MACs away, change what he likes, and let the next
 * entry vouch for it.
 */
#include "postgres.h"

#include "base/json.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "store/audit.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* A check under way. */
typedef struct Check
{
	WfAuditReport report;
	void	   *arg;
	WfAuditKey	key;
	WfAuditHead head;
	bool		has_head;
	int64		n_entries;		/* so far */
	int64		seq;			/* of the entry before; 0: there is none */
	uint8		hash[WF_CRYPT_HASH_BYTES];	/* of the entry before */
	int32		key_id;			/* of the entry before */
	int64		n_unvouched;	/* entries since the last whose MAC is of our key */
	int64		first_unvouched;
	StringInfoData text;
} Check;

static void complain(const Check *check, const int64 *seq, const char *fmt,...) pg_attribute_printf(3, 4);

/* seq NULL: of the trail as a whole */
static void
complain(const Check *check, const int64 *seq, const char *fmt,...)
{
	char		problem[300];
	va_list		args;

	va_start(args, fmt);
	vsnprintf(problem, sizeof(problem), fmt, args);
	va_end(args);
	check->report(check->arg, seq, problem);
}

/* -- one entry -- */

/* What was signed is what its digest is of. */
static bool
digest_holds(const WfAuditRow *row)
{
	uint8		digest[WF_CRYPT_HASH_BYTES];

	if (strcmp(row->action, "task.complete") != 0)
		return true;
	if (!row->has_digest || row->after == NULL)
		return false;
	wf_audit_digest(row->after, digest);
	return memcmp(digest, row->digest, sizeof(digest)) == 0;
}

/* By itself, with the key of its tenant. */
static const char *
problem_of(const WfAuditRow *row, const WfAuditKey *key, StringInfo text)
{
	if (!wf_audit_hash_holds(row, text))
		return "the entry was changed: its hash is that of another text";
	if (!digest_holds(row))
		return "the entry's digest is that of another document";
	if (row->has_mac != (row->key_id != 0))
		return "the entry's MAC was taken away, or is not whole";
	if (row->has_mac && row->key_id == key->key_id && !wf_audit_row_mac_holds(row, key))
		return "the entry was made without the master key: its MAC does not hold";
	return NULL;
}

const char *
wf_store_verify_entry(const WfAuditRow *row, bool is_alone)
{
	StringInfoData text;
	WfAuditKey	key;
	const char *problem;

	initStringInfo(&text);
	wf_audit_key(&row->tenant_id, &key);
	problem = problem_of(row, &key, &text);
	if (problem == NULL && is_alone && row->key_id != key.key_id)
		problem = key.key_id == 0 ? "the entry's MAC can not be checked: the server has no master key" :
			"the entry has no MAC of the present master key: only wf_verify_audit() can tell whether later ones vouch for it";
	explicit_bzero(&key, sizeof(key));
	return problem;
}

/* -- the chain -- */

static void
check_order(const Check *check, const WfAuditRow *row)
{
	int64		expected = check->seq + 1;

	if (row->seq == expected + 1)
		complain(check, &expected, "the entry is missing");
	else if (row->seq > expected)
		complain(check, &expected, "the entry is missing, and all after it up to " INT64_FORMAT, row->seq - 1);
	else if (row->seq < expected)
		complain(check, &row->seq, "the entry is outside of the trail, which begins with " INT64_FORMAT, check->head.first_seq);
	else if (memcmp(row->prev, check->hash, sizeof(check->hash)) != 0)
		complain(check, &row->seq, "the entry does not follow the one before it: that had another hash");
}

/* Keeps count of what no MAC of ours vouches for. */
static void
count_vouched(Check *check, const WfAuditRow *row)
{
	if (row->has_mac && row->key_id == check->key.key_id)
		check->n_unvouched = 0;
	else if (check->n_unvouched++ == 0)
		check->first_unvouched = row->seq;
}

/*
 * Another key than that of the entry before. Whoever has the old one can tell that nothing was cut off or put on before the new
 * one came: where the server had it, the entry says so. Otherwise it might have been.
 */
static void
check_key(const Check *check, const WfAuditRow *row)
{
	JsonbValue	facts;
	JsonbValue	checked;

	if (check->n_entries == 0 || row->key_id == check->key_id)
		return;
	if (row->key_id == 0)
		complain(check, &row->seq, "there was no master key from this entry on: a superuser may have changed what follows");
	else if (check->key_id == 0)
		complain(check, &row->seq, "there was no master key before this entry: a superuser may have changed what was before");
	else
	{
		if (row->after != NULL && strcmp(row->action, "audit.key") == 0)
		{
			wf_json_root(row->after, &facts);
			if (wf_json_field(&facts, "checked", &checked) && checked.type == jbvBool && checked.val.boolean)
				return;
		}
		complain(check, &row->seq, "there was another master key before this entry, which could not be checked then");
	}
}

static void
check_entry(Check *check, const WfAuditRow *row)
{
	const char *problem = problem_of(row, &check->key, &check->text);

	check_order(check, row);
	if (row->seq <= check->seq)
		return;
	if (problem != NULL)
		complain(check, &row->seq, "%s", problem);
	else
		count_vouched(check, row);
	check_key(check, row);
	if (strcmp(row->action, "audit.tampered") == 0)
		complain(check, &row->seq, "the trail had been changed when this entry was written");
	check->n_entries++;
	check->key_id = row->key_id;
	check->seq = row->seq;
	memcpy(check->hash, row->hash, sizeof(check->hash));
}

static void
check_head(const Check *check)
{
	const WfAuditHead *head = &check->head;
	int64		next = check->seq + 1;
	int64		beyond = head->last_seq + 1;

	if (head->last_seq == next)
		complain(check, &next, "the entry is missing: it was the last one");
	else if (head->last_seq > check->seq)
		complain(check, &next, "the entry is missing, and all after it up to the last, " INT64_FORMAT, head->last_seq);
	else if (head->last_seq < check->seq)
		complain(check, &beyond, "the entry is beyond the end of the trail that the head names");
	else if (memcmp(head->hash, check->hash, sizeof(check->hash)) != 0)
		complain(check, &check->seq, "the entry is not the last one that was written: the head has another hash");
	if (head->has_mac != (head->key_id != 0) || (head->last_seq >= head->first_seq && head->key_id != check->key_id))
		complain(check, NULL, "the head was changed: it has not the MAC that it was written with");
	else if (head->has_mac && head->key_id == check->key.key_id && !wf_audit_head_mac_holds(head, &check->key))
		complain(check, NULL, "the head was changed: its MAC does not hold");
}

static void
check_end(const Check *check)
{
	check_head(check);
	if (check->n_unvouched == 0)
		return;
	if (check->key.key_id != 0)
		complain(check, &check->first_unvouched, "no MAC of the present master key vouches for the entry, nor for any after it");
	else if (check->head.key_id != 0)
		complain(check, &check->first_unvouched, "the MACs can not be checked: the server has no master key");
}

void
wf_store_verify_audit(const pg_uuid_t *tenant_id, WfAuditReport report, void *arg)
{
	Check		check = {.report = report, .arg = arg};
	MemoryContext rows = AllocSetContextCreate(CurrentMemoryContext, "workflow audit entry", ALLOCSET_DEFAULT_SIZES);
	Snapshot	snapshot = GetActiveSnapshot();
	MemoryContext old;
	WfAuditScan *scan;
	WfAuditRow	row;

	initStringInfo(&check.text);
	wf_audit_key(tenant_id, &check.key);
	check.has_head = wf_audit_find_head(tenant_id, snapshot, &check.head, NULL);
	if (check.has_head)
	{
		check.seq = check.head.first_seq - 1;
		memcpy(check.hash, check.head.anchor, sizeof(check.hash));
	}
	scan = wf_audit_scan_begin(tenant_id, PG_INT64_MIN, snapshot);
	for (;;)
	{
		bool		found;

		CHECK_FOR_INTERRUPTS();
		old = MemoryContextSwitchTo(rows);
		found = wf_audit_scan_next(scan, &row);
		if (found)
			check_entry(&check, &row);
		MemoryContextSwitchTo(old);
		MemoryContextReset(rows);
		if (!found)
			break;
	}
	wf_audit_scan_end(scan);
	if (check.has_head)
		check_end(&check);
	else if (check.seq > 0)
		complain(&check, NULL, "the head is missing");
	explicit_bzero(&check.key, sizeof(check.key));
	MemoryContextDelete(rows);
}
