/*
 * approval.c: versions that a second person has to approve (the setting `approval` of the tenant, or of one above: nobody below can
 * do without).
 *
 * What is approved is one definition: the SHA-256 digest of its jsonb text is part of the request, and is compared with the stored
 * one when it is decided and each time that the version is to become active. So a row of wf.version that somebody has changed
 * behind our back is a version without approval.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/uuid.h"
#include "miscadmin.h"
#include "store/approval.h"
#include "store/statements.h"
#include "store/store.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

static bool
tenant_asks(const pg_uuid_t *tenant_id)
{
	Datum		values[1] = {UUIDPGetDatum(tenant_id)};
	bool		asks = wf_store_execute(WF_SQL_ASKS_APPROVAL, values, NULL) > 0;

	SPI_freetuptable(SPI_tuptable);
	return asks;
}

/* Of the definition as it is stored; NULL: there is no such version. */
static char *
digest_of(const WfVersionKey *key)
{
	Datum		values[3] = {UUIDPGetDatum(&key->tenant_id), UUIDPGetDatum(&key->workflow_id), Int32GetDatum(key->version)};
	char	   *digest = NULL;

	if (wf_store_execute(WF_SQL_VERSION_DIGEST, values, NULL) > 0)
		digest = wf_store_text(0, 1);
	SPI_freetuptable(SPI_tuptable);
	return digest;
}

bool
wf_store_needs_approval(const WfVersionKey *key)
{
	Datum		values[4] = {UUIDPGetDatum(&key->tenant_id), UUIDPGetDatum(&key->workflow_id), Int32GetDatum(key->version)};
	char	   *digest;
	bool		found;

	if (!tenant_asks(&key->tenant_id))
		return false;
	digest = digest_of(key);
	if (digest == NULL)
		return true;
	values[3] = CStringGetTextDatum(digest);
	found = wf_store_execute(WF_SQL_IS_APPROVED, values, NULL) > 0;
	SPI_freetuptable(SPI_tuptable);
	return !found;
}

void
wf_store_request_approval(const WfVersionKey *key, bool sets_status)
{
	const char *digest = digest_of(key);
	pg_uuid_t	id;
	Datum		values[9];

	if (digest == NULL)
		ereport(ERROR, (errcode(WF_ERRCODE_WORKFLOW_NOT_FOUND), errmsg("version %d does not exist any more", key->version)));
	wf_uuid_make(&id);
	values[0] = UUIDPGetDatum(&key->tenant_id);
	values[1] = UUIDPGetDatum(&key->workflow_id);
	values[2] = Int32GetDatum(key->version);
	values[3] = UUIDPGetDatum(&id);
	values[4] = CStringGetTextDatum(digest);
	values[5] = BoolGetDatum(sets_status);
	values[6] = ObjectIdGetDatum(GetUserId());
	values[7] = ObjectIdGetDatum(GetSessionUserId());
	values[8] = TimestampTzGetDatum(wf_clock_now());
	wf_store_execute(WF_SQL_REQUEST_APPROVAL, values, NULL);
}

bool
wf_store_pending_approval(const WfVersionKey *key, WfApproval *out)
{
	Datum		values[5] = {UUIDPGetDatum(&key->tenant_id), UUIDPGetDatum(&key->workflow_id), Int32GetDatum(key->version),
	ObjectIdGetDatum(GetUserId()), ObjectIdGetDatum(GetSessionUserId())};
	bool		found = wf_store_execute(WF_SQL_PENDING_APPROVAL, values, NULL) > 0;
	char	   *digest = NULL;

	memset(out, 0, sizeof(*out));
	if (found)
	{
		wf_store_uuid(0, 1, &out->approval_id);
		digest = wf_store_text(0, 2);
		out->sets_status = wf_store_bool(0, 3);
		out->is_own = wf_store_bool(0, 4);
	}
	SPI_freetuptable(SPI_tuptable);
	if (found)
	{
		const char *now = digest_of(key);

		out->is_same = now != NULL && strcmp(now, digest) == 0;
	}
	return found;
}

void
wf_store_decide_approval(const pg_uuid_t *tenant_id, const WfApproval *approval, bool approved, const char *comment)
{
	Datum		values[7];
	char		nulls[7] = {' ', ' ', ' ', comment == NULL ? 'n' : ' ', ' ', ' ', ' '};

	values[0] = UUIDPGetDatum(tenant_id);
	values[1] = UUIDPGetDatum(&approval->approval_id);
	values[2] = CStringGetTextDatum(approved ? "approved" : "rejected");
	values[3] = comment == NULL ? (Datum) 0 : CStringGetTextDatum(comment);
	values[4] = ObjectIdGetDatum(GetUserId());
	values[5] = ObjectIdGetDatum(GetSessionUserId());
	values[6] = TimestampTzGetDatum(wf_clock_now());
	wf_store_execute(WF_SQL_DECIDE_APPROVAL, values, nulls);
}
