/*
 * audit_chain.c: what makes entries of the trail a chain: their text, its hash, the MAC.
 *
 * 1. The canonical text of an entry is a JSON object with a fixed order of members, fixed spaces, times in UTC and bytes in
 *    hexadecimal digits: no setting, version or machine makes another one of it. Values of jsonb are in it as PostgreSQL prints them. It
 *    begins with the tenant and the number, and ends with the hash of the entry before: nothing of it can stand elsewhere.
 * 2. The hash is SHA-256 of that text. Anybody can make it anew, so can whoever forges a trail.
 * 3. The MAC is HMAC-SHA256 of the hash, with a key of the tenant's, derived from the master key each time. Whoever has not the
 *    master key can make none. Since a hash is made of all that is before it, one MAC vouches for all entries up to its own.
 * 4. key_id is a number that is made along with the key; it says nothing of it. An entry of another master key is known by it.
 *    Without a master key there are hashes and no MACs.
 *
 * The key is on the stack, and wiped by whoever asked for it.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/json.h"
#include "base/secret.h"
#include "lib/stringinfo.h"
#include "pgtime.h"
#include "port/pg_bswap.h"
#include "store/audit.h"
#include "utils/json.h"
#include "utils/timestamp.h"

/* -- the key -- */

/* The tenant's key made of a master key; key_id 0: there is none. */
static void
derive(WfMasterKey which, const pg_uuid_t *tenant_id, WfAuditKey *key)
{
	static bool asked[WF_MASTER_KEYS];
	uint8		made[WF_CRYPT_KEY_BYTES + sizeof(uint32)];
	uint32		number;

	memset(key, 0, sizeof(*key));
	/* it may have to be read yet; that there is none costs one look */
	if (!asked[which])
		(void) wf_master_key_problem(which);
	asked[which] = true;
	if (!wf_master_key_derive(which, "workflow audit", tenant_id->data, UUID_LEN, made, sizeof(made)))
		return;
	memcpy(key->bytes, made, WF_CRYPT_KEY_BYTES);
	memcpy(&number, made + WF_CRYPT_KEY_BYTES, sizeof(number));
	key->key_id = (int32) (pg_ntoh32(number) & PG_INT32_MAX);
	if (key->key_id == 0)
		key->key_id = 1;
	explicit_bzero(made, sizeof(made));
}

void
wf_audit_key(const pg_uuid_t *tenant_id, WfAuditKey *key)
{
	derive(WF_MASTER_KEY_CURRENT, tenant_id, key);
}

bool
wf_audit_key_of(const pg_uuid_t *tenant_id, int32 key_id, WfAuditKey *key)
{
	for (int which = 0; which < WF_MASTER_KEYS; which++)
	{
		derive(which, tenant_id, key);
		if (key_id != 0 && key->key_id == key_id)
			return true;
	}
	explicit_bzero(key, sizeof(*key));
	return false;
}

/* -- the text -- */

static void
put_hex(StringInfo out, const uint8 *bytes, int n)
{
	static const char digits[] = "0123456789abcdef";

	enlargeStringInfo(out, n * 2);
	for (int i = 0; i < n; i++)
	{
		out->data[out->len++] = digits[bytes[i] >> 4];
		out->data[out->len++] = digits[bytes[i] & 15];
	}
	out->data[out->len] = '\0';
}

static void
put_uuid(StringInfo out, const pg_uuid_t *id)
{
	static const int groups[] = {4, 2, 2, 2, 6};
	int			at = 0;

	for (int i = 0; i < lengthof(groups); i++)
	{
		if (i > 0)
			appendStringInfoChar(out, '-');
		put_hex(out, id->data + at, groups[i]);
		at += groups[i];
	}
}

/* ISO 8601 in UTC, with all digits. */
static void
put_time(StringInfo out, TimestampTz at)
{
	struct pg_tm tm;
	fsec_t		fraction;

	if (TIMESTAMP_NOT_FINITE(at) || timestamp2tm(at, NULL, &tm, &fraction, NULL, NULL) != 0)
		appendStringInfo(out, INT64_FORMAT, at);
	else
		appendStringInfo(out, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year, tm.tm_mon, tm.tm_mday, tm.tm_hour, tm.tm_min,
						 tm.tm_sec, (int) fraction);
}

static void
put_text(StringInfo out, const char *name, const char *value)
{
	appendStringInfoString(out, ", \"");
	appendStringInfoString(out, name);
	appendStringInfoString(out, "\": ");
	if (value == NULL)
		appendStringInfoString(out, "null");
	else
		escape_json(out, value);
}

static void
put_json(StringInfo out, const char *name, const Jsonb *value)
{
	appendStringInfo(out, ", \"%s\": ", name);
	if (value == NULL)
		appendStringInfoString(out, "null");
	else
		(void) JsonbToCString(out, unconstify(JsonbContainer *, &value->root), VARSIZE(value));
}

void
wf_audit_canonical(const WfAuditRow *row, StringInfo out)
{
	appendStringInfoString(out, "{\"tenant\": \"");
	put_uuid(out, &row->tenant_id);
	appendStringInfo(out, "\", \"seq\": " INT64_FORMAT ", \"at\": \"", row->seq);
	put_time(out, row->at);
	appendStringInfoChar(out, '"');
	put_text(out, "action", row->action);
	put_text(out, "actor", row->actor);
	put_text(out, "sessionRole", row->session_role);
	put_text(out, "clientAddress", row->client_address);
	put_text(out, "applicationName", row->application_name);
	put_text(out, "objectType", row->object_type);
	if (row->has_object_id)
	{
		appendStringInfoString(out, ", \"objectId\": \"");
		put_uuid(out, &row->object_id);
		appendStringInfoChar(out, '"');
	}
	else
		put_text(out, "objectId", NULL);
	put_text(out, "objectName", row->object_name);
	put_json(out, "before", row->before);
	put_json(out, "after", row->after);
	if (row->has_digest)
	{
		appendStringInfoString(out, ", \"digest\": \"");
		put_hex(out, row->digest, WF_CRYPT_HASH_BYTES);
		appendStringInfoChar(out, '"');
	}
	else
		put_text(out, "digest", NULL);
	appendStringInfoString(out, ", \"prev\": \"");
	put_hex(out, row->prev, WF_CRYPT_HASH_BYTES);
	appendStringInfoString(out, "\"}");
}

/* -- hashes and MACs -- */

static void
hash_of(const WfAuditRow *row, StringInfo text, uint8 *out)
{
	resetStringInfo(text);
	wf_audit_canonical(row, text);
	if (!wf_crypt_sha256(text->data, text->len, out))
		elog(ERROR, "could not compute a SHA-256 hash");
}

static void
mac_of(const WfAuditKey *key, const char *purpose, const uint8 *data, size_t bytes, uint8 *out)
{
	if (!wf_crypt_hmac_sha256(key->bytes, sizeof(key->bytes), purpose, strlen(purpose), data, bytes, out))
		elog(ERROR, "could not compute a MAC");
}

void
wf_audit_seal_row(WfAuditRow *row, const WfAuditKey *key, StringInfo text)
{
	hash_of(row, text, row->hash);
	row->key_id = key->key_id;
	row->has_mac = key->key_id != 0;
	if (row->has_mac)
		mac_of(key, "entry", row->hash, sizeof(row->hash), row->mac);
}

bool
wf_audit_hash_holds(const WfAuditRow *row, StringInfo text)
{
	uint8		hash[WF_CRYPT_HASH_BYTES];

	hash_of(row, text, hash);
	return memcmp(hash, row->hash, sizeof(hash)) == 0;
}

bool
wf_audit_row_mac_holds(const WfAuditRow *row, const WfAuditKey *key)
{
	uint8		mac[WF_CRYPT_HASH_BYTES];

	if (!row->has_mac)
		return false;
	mac_of(key, "entry", row->hash, sizeof(row->hash), mac);
	return wf_crypt_equal(mac, row->mac, sizeof(mac));
}

static void
head_mac(const WfAuditHead *head, const WfAuditKey *key, uint8 *out)
{
	struct
	{
		pg_uuid_t	tenant_id;
		uint64		first_seq;
		uint64		last_seq;
		uint64		at;
		uint8		anchor[WF_CRYPT_HASH_BYTES];
		uint8		hash[WF_CRYPT_HASH_BYTES];
	}			content;

	StaticAssertStmt(sizeof(content) == UUID_LEN + 3 * 8 + 2 * WF_CRYPT_HASH_BYTES, "no padding in what a MAC is of");
	content.tenant_id = head->tenant_id;
	content.first_seq = pg_hton64((uint64) head->first_seq);
	content.last_seq = pg_hton64((uint64) head->last_seq);
	content.at = pg_hton64((uint64) head->at);
	memcpy(content.anchor, head->anchor, WF_CRYPT_HASH_BYTES);
	memcpy(content.hash, head->hash, WF_CRYPT_HASH_BYTES);
	mac_of(key, "head", (const uint8 *) &content, sizeof(content), out);
}

void
wf_audit_seal_head(WfAuditHead *head, const WfAuditKey *key)
{
	head->key_id = key->key_id;
	head->has_mac = key->key_id != 0;
	if (head->has_mac)
		head_mac(head, key, head->mac);
}

bool
wf_audit_head_mac_holds(const WfAuditHead *head, const WfAuditKey *key)
{
	uint8		mac[WF_CRYPT_HASH_BYTES];

	if (!head->has_mac)
		return false;
	head_mac(head, key, mac);
	return wf_crypt_equal(mac, head->mac, sizeof(mac));
}

void
wf_audit_digest(const Jsonb *document, uint8 out[WF_CRYPT_HASH_BYTES])
{
	StringInfoData text;

	initStringInfo(&text);
	(void) JsonbToCString(&text, unconstify(JsonbContainer *, &document->root), VARSIZE(document));
	if (!wf_crypt_sha256(text.data, text.len, out))
		elog(ERROR, "could not compute a SHA-256 hash");
	pfree(text.data);
}
