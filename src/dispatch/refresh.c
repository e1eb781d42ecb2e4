/*
 * refresh.c: refresh tokens that a server has replaced.
 *
 * Some servers give a new refresh token with each access token, and take the old one no more. When the request has the old
 * one from a secret or a credential, and from that alone, the new one becomes the next version of that, in the next transaction; else it can be
 * kept nowhere, and the log says so. Until then it is in memory that is wiped. A secret that was set meanwhile, or dropped, stays as
 * somebody wants it: the new token takes the place of the version that was sent, and of no other.
 */
#include "postgres.h"

#include "base/error.h"
#include "base/secret.h"
#include "base/subtransaction.h"
#include "dispatch/flight.h"
#include "store/secret.h"
#include "utils/memutils.h"

typedef struct Kept
{
	dlist_node	node;
	MemoryContext memory;
	pg_uuid_t	tenant_id;
	char	   *name;
	int			version;		/* that it takes the place of */
	char	   *value;			/* of wf_secret_alloc */
	int			len;
	bool		is_locked;		/* could not be written by the transaction at hand */
} Kept;

static dlist_head kept = DLIST_STATIC_INIT(kept);

/* The name of the secret that the text is the marker of, and nothing else; NULL: it is not. */
static char *
secret_of(const JsonbValue *request)
{
	JsonbValue	auth;
	char	   *text = wf_json_field(request, "auth", &auth) ? wf_json_get_cstring(&auth, "refreshToken") : NULL;
	char	   *nonce = wf_json_get_cstring(request, "nonce");
	List	   *names;

	if (text == NULL || nonce == NULL)
		return NULL;
	names = wf_marker_names(NIL, text, strlen(text), nonce);
	if (list_length(names) != 1 ||
		strcmp(wf_marker_make(nonce, linitial(names), strlen(linitial(names))), text) != 0)
		return NULL;
	return linitial(names);
}

void
wf_refresh_place(const WfCompose *in, const WfRequestRow *row, RefreshPlace *out)
{
	out->tenant_id = row->tenant_id;
	out->secret = secret_of(in->request);
	out->version = 0;
	for (int i = 0; i < in->n_secrets && out->secret != NULL; i++)
		if (strcmp(in->secrets[i].name, out->secret) == 0)
			out->version = in->secrets[i].version;
	out->node = pstrdup(row->node);
	out->host = pstrdup(row->host);
}

static void
complain(const RefreshPlace *place, const char *hint)
{
	ereport(LOG, (errmsg("refresh token of node \"%s\" was replaced by %s, and cannot be kept", place->node, place->host),
				  errhint("%s", hint)));
}

/* As wf_store_hold_secret, of a name that may be CREDENTIAL.field. */
static bool
hold(const pg_uuid_t *tenant_id, const char *name, int version, bool *is_locked)
{
	return wf_store_hold_secret(tenant_id, pnstrdup(name, strcspn(name, ".")), version, is_locked);
}

static void
set(const pg_uuid_t *tenant_id, const char *name, const char *value, int len)
{
	const char *dot = strchr(name, '.');

	if (dot == NULL)
		wf_store_set_secret(tenant_id, name, value, len);
	else
		wf_store_set_credential_field(tenant_id, pnstrdup(name, dot - name), dot + 1, value, len);
}

void
wf_refresh_keep(const RefreshPlace *place, const char *value)
{
	MemoryContext memory;
	MemoryContext old;
	Kept	   *entry;

	if (place->secret == NULL)
	{
		complain(place, "Let the member \"refreshToken\" be a secret, and nothing else.");
		return;
	}
	memory = AllocSetContextCreate(TopMemoryContext, "workflow refresh token", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(memory);
	entry = palloc(sizeof(Kept));
	entry->memory = memory;
	entry->is_locked = false;
	entry->tenant_id = place->tenant_id;
	entry->name = pstrdup(place->secret);
	entry->version = place->version;
	entry->len = strlen(value);
	entry->value = wf_secret_alloc(entry->len + 1);
	memcpy(entry->value, value, entry->len + 1);
	dlist_push_tail(&kept, &entry->node);
	MemoryContextSwitchTo(old);
}

void
wf_refresh_write_now(const RefreshPlace *place, const char *value)
{
	bool		is_locked = false;

	if (place->secret == NULL)
		complain(place, "Let the member \"refreshToken\" be a secret, and nothing else.");
	else if (hold(&place->tenant_id, place->secret, place->version, &is_locked))
		set(&place->tenant_id, place->secret, value, strlen(value));
	else if (is_locked)
		complain(place, "Another transaction was setting its secret.");
}

bool
wf_refresh_is_wanted(void)
{
	return !dlist_is_empty(&kept);
}

static void
write_secret(void *arg)
{
	Kept	   *entry = arg;

	if (hold(&entry->tenant_id, entry->name, entry->version, &entry->is_locked))
		set(&entry->tenant_id, entry->name, entry->value, entry->len);
}

/* A secret that cannot be set (the master key is gone) must not keep everything else from being recorded. */
static void
write_one(Kept *entry)
{
	ErrorData  *error = wf_subtransaction(write_secret, entry);

	if (error != NULL)
		ereport(LOG, (errcode(error->sqlerrcode), errmsg("refresh token of secret \"%s\" could not be kept: %s", entry->name, error->message)));
}

bool
wf_refresh_write(void)
{
	bool		all = true;
	dlist_iter	it;

	dlist_foreach(it, &kept)
	{
		Kept	   *entry = dlist_container(Kept, node, it.cur);

		write_one(entry);
		all &= !entry->is_locked;
	}
	return all;
}

void
wf_refresh_settle(bool committed)
{
	dlist_mutable_iter it;

	if (!committed)
		return;
	dlist_foreach_modify(it, &kept)
	{
		Kept	   *entry = dlist_container(Kept, node, it.cur);

		if (entry->is_locked)
			continue;
		dlist_delete(&entry->node);
		MemoryContextDelete(entry->memory);
	}
}
