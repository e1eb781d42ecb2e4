/*
 * audit.h: the trail of who did what: noting entries, checking them, ending them.
 *
 * audit.c has the protocol. Nothing here needs an SPI connection but what says so.
 */
#ifndef WF_STORE_AUDIT_H
#define WF_STORE_AUDIT_H

#include "postgres.h"
#include "base/crypt.h"
#include "datatype/timestamp.h"
#include "storage/itemptr.h"
#include "utils/jsonb.h"
#include "utils/snapshot.h"
#include "utils/uuid.h"

struct WfRequestRow;			/* request.h */

/* -- noting (audit.c) -- */

/* What was done. Who did it, from where and when is added by wf_store_audit. All is copied. */
typedef struct WfAudit
{
	const char *action;			/* "workflow.save"; docs/audit.md lists them */
	const char *object_type;	/* "workflow"; or NULL, as each of the following */
	const pg_uuid_t *object_id;
	const char *object_name;
	const Jsonb *before;
	const Jsonb *after;
	const uint8 *digest;		/* WF_CRYPT_HASH_BYTES: of what is too large for the trail, or of what was signed */
	const char *actor;			/* whose deed it is; NULL: current_user's */
} WfAudit;

/* Adds an entry to the tenant's trail, if what was done commits: it goes with the subtransaction, or the transaction. Throws
 * 54000 when there are too many of them in one transaction. */
extern void wf_store_audit(const pg_uuid_t *tenant_id, const WfAudit *entry);
/* The same of something that has a name and nothing more to tell: a secret. */
extern void wf_store_audit_name(const pg_uuid_t *tenant_id, const char *action, const char *object_type, const char *name);
/* {key: text, ...} of pairs of C strings that a NULL ends, without those that are NULL; NULL when none is left. */
#define wf_store_audit_facts(...) wf_store_audit_pairs(__VA_ARGS__, (const char *) NULL)
extern Jsonb *wf_store_audit_pairs(const char *key,...);
/* A request ended with this error; if a rule on addresses refused it (WF011) that is recorded, once a minute for a host.
 * `dont_wait`: the transaction is short, works for all tenants, and is not to wait for one when it commits. */
extern void wf_store_audit_refusal(const struct WfRequestRow *request, const Jsonb *error, bool dont_wait);
/* Code of a run went over limits (WF009) `n` times in a segment that is to be committed: recorded once a minute for a workflow. */
typedef struct WfCodeRefusal
{
	pg_uuid_t	workflow_id;
	const char *workflow;
	const char *node;			/* of the first time, as the next one */
	const char *message;
	int64		n;
} WfCodeRefusal;
extern void wf_store_audit_code_refusal(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id, const WfCodeRefusal *refusal);
/* Registers callbacks; once, and before all others that write when a transaction ends. */
extern void wf_store_audit_init(void);

/* -- entries (audit_chain.c) -- */

typedef struct WfAuditRow
{
	pg_uuid_t	tenant_id;
	int64		seq;			/* from 1 */
	TimestampTz at;
	const char *action;
	const char *actor;
	const char *session_role;
	const char *client_address; /* or NULL, as each of the following */
	const char *application_name;
	const char *object_type;
	bool		has_object_id;
	pg_uuid_t	object_id;
	const char *object_name;
	const Jsonb *before;
	const Jsonb *after;
	bool		has_digest;
	uint8		digest[WF_CRYPT_HASH_BYTES];
	uint8		prev[WF_CRYPT_HASH_BYTES];	/* hash of the entry before */
	uint8		hash[WF_CRYPT_HASH_BYTES];	/* SHA-256 of the canonical text */
	int32		key_id;			/* 0: no key */
	bool		has_mac;
	uint8		mac[WF_CRYPT_HASH_BYTES];
} WfAuditRow;

/* Where a trail begins and ends. */
typedef struct WfAuditHead
{
	pg_uuid_t	tenant_id;
	int64		first_seq;		/* of the first entry that is kept */
	uint8		anchor[WF_CRYPT_HASH_BYTES];	/* hash of the entry before that */
	int64		last_seq;		/* 0: none yet */
	uint8		hash[WF_CRYPT_HASH_BYTES];	/* of the last entry */
	TimestampTz at;				/* of the last entry */
	int32		key_id;
	bool		has_mac;
	uint8		mac[WF_CRYPT_HASH_BYTES];
} WfAuditHead;

/* The key of a tenant's trail, made of the master key. The caller wipes it. */
typedef struct WfAuditKey
{
	int32		key_id;			/* a number made of it; 0: there is no key */
	uint8		bytes[WF_CRYPT_KEY_BYTES];
} WfAuditKey;

extern void wf_audit_key(const pg_uuid_t *tenant_id, WfAuditKey *key);
/* The key of this number, if the server has it; else false. */
extern bool wf_audit_key_of(const pg_uuid_t *tenant_id, int32 key_id, WfAuditKey *key);
/* The text that the hash is of: JSON, all that a row has but hash, key_id and mac. Appended. */
extern void wf_audit_canonical(const WfAuditRow *row, StringInfo out);
/* Sets hash, and key_id and mac; `text` is room for the canonical text. Throws XX000 when OpenSSL fails. */
extern void wf_audit_seal_row(WfAuditRow *row, const WfAuditKey *key, StringInfo text);
extern void wf_audit_seal_head(WfAuditHead *head, const WfAuditKey *key);
/* Is hash that of the row? */
extern bool wf_audit_hash_holds(const WfAuditRow *row, StringInfo text);
/* Is the MAC that of this key? Ask only where key_id is the key's. */
extern bool wf_audit_row_mac_holds(const WfAuditRow *row, const WfAuditKey *key);
extern bool wf_audit_head_mac_holds(const WfAuditHead *head, const WfAuditKey *key);
/* SHA-256 of a document as text; what a signature's digest is. */
extern void wf_audit_digest(const Jsonb *document, uint8 out[WF_CRYPT_HASH_BYTES]);

/* -- reading (audit_read.c) -- */

/* The head as a snapshot has it; false: there is none. *tid, unless NULL: where it is. */
extern bool wf_audit_find_head(const pg_uuid_t *tenant_id, Snapshot snapshot, WfAuditHead *head, ItemPointer tid);

/* Entries from one on, in order. What a row points at is in CurrentMemoryContext. */
typedef struct WfAuditScan WfAuditScan;
extern WfAuditScan *wf_audit_scan_begin(const pg_uuid_t *tenant_id, int64 from_seq, Snapshot snapshot);
/* The same of entries about one object. */
extern WfAuditScan *wf_audit_scan_begin_of(const pg_uuid_t *tenant_id, const pg_uuid_t *object_id, Snapshot snapshot);
extern bool wf_audit_scan_next(WfAuditScan *scan, WfAuditRow *row);
/* Where the row is that was read last. */
extern const ItemPointerData *wf_audit_scan_tid(const WfAuditScan *scan);
extern void wf_audit_scan_end(WfAuditScan *scan);
/* A tenant's last entry: its number (0: there is none), hash and key_id alone. */
extern void wf_audit_last(const pg_uuid_t *tenant_id, Snapshot snapshot, WfAuditRow *row);

/* -- checking (audit_verify.c) -- */

/* Told of each problem; seq NULL: of the trail as a whole. */
typedef void (*WfAuditReport) (void *arg, const int64 *seq, const char *problem);
/* Reads a tenant's trail as the active snapshot has it. */
extern void wf_store_verify_audit(const pg_uuid_t *tenant_id, WfAuditReport report, void *arg);
/* What is wrong with one entry by itself, a constant; NULL: nothing. `is_alone`: nobody looks at those after it, which may vouch for
 * one that has no MAC of the present key. */
extern const char *wf_store_verify_entry(const WfAuditRow *row, bool is_alone);

/* -- ending (audit_expire.c) -- */

/*
 * Removes entries that are older than the tenant's setting `auditRetention`, at most `most` in all; how many. Those of a tenant
 * without the setting stay. The last entry of a trail stays. A record of it is written. Trails that somebody is writing are
 * left for another time.
 */
extern int	wf_store_expire_audit(TimestampTz now, int most);
/*
 * Removes entries of a tenant that is being deleted, at most `most`; how many. 0: none is left, and the head is gone too; then
 * what there was is recorded in another tenant's trail (NULL: nowhere).
 */
extern int	wf_store_drop_audit(const pg_uuid_t *tenant_id, const char *name, const pg_uuid_t *recorded_in, int most);

/* -- private to the room -- */

/* Keeps others from the tenant's trail until the transaction ends. False: it was not to be had at once. */
extern bool wf_audit_lock(const pg_uuid_t *tenant_id, bool dont_wait);
/* Writes entries of one tenant, at least one, in their order; `insert` is into wf.audit (audit_write.c). */
struct WfInsert;
extern void wf_audit_write(struct WfInsert *insert, WfAuditRow *const *rows, int n);
/* The transaction that is about to commit waits for the disk when it has given up its locks (audit_flush.c). */
extern void wf_audit_flush_later(void);
extern void wf_audit_flush_init(void);
/* Writes a head whose row is at tid (NULL: there is none). */
extern void wf_audit_put_head(const WfAuditHead *head, const ItemPointerData *tid);

#endif
