/*
 * refresh.c: refresh tokens that a server has replaced.
 *
 * Some servers give a new refresh token with each access token, and take the old one no more. When the request has the old
 * one from a secret, and from that alone, the new one becomes the secret's next version, in the next transaction; else it can be
 * kept nowhere, and the log says so. Until then it is in memory that is wiped.
 */
#include "postgres.h"

#include "base/secret.h"
#include "dispatch/flight.h"
#include "store/secret.h"
#include "utils/memutils.h"

typedef struct Kept
{
	dlist_node	node;
	MemoryContext memory;
	pg_uuid_t	tenant_id;
	char	   *name;
	char	   *value;			/* of wf_secret_alloc */
	int			len;
	bool		is_locked;		/* could not be written by the transaction at hand */
} Kept;

static dlist_head kept = DLIST_STATIC_INIT(kept);

/* The name of the secret that the text is the marker of, and nothing else; NULL: it is not. */
static char *
secret_of(const Flight *flight, const JsonbValue *auth)
{
	char	   *text = wf_json_get_cstring(auth, "refreshToken");
	char	   *nonce = wf_json_get_cstring(&flight->request, "nonce");
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
wf_refresh_keep(const Flight *flight, const char *value)
{
	JsonbValue	auth;
	char	   *name;
	MemoryContext memory;
	MemoryContext old;
	Kept	   *entry;

	if (!wf_json_field(&flight->request, "auth", &auth) || (name = secret_of(flight, &auth)) == NULL)
	{
		ereport(LOG, (errmsg("refresh token of node \"%s\" was replaced by %s, and cannot be kept", flight->row.node,
							 flight->row.host),
					  errhint("Let the member \"refreshToken\" be a secret, and nothing else.")));
		return;
	}
	memory = AllocSetContextCreate(TopMemoryContext, "workflow refresh token", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(memory);
	entry = palloc(sizeof(Kept));
	entry->memory = memory;
	entry->is_locked = false;
	entry->tenant_id = flight->row.tenant_id;
	entry->name = pstrdup(name);
	entry->len = strlen(value);
	entry->value = wf_secret_alloc(entry->len + 1);
	memcpy(entry->value, value, entry->len + 1);
	dlist_push_tail(&kept, &entry->node);
	MemoryContextSwitchTo(old);
}

bool
wf_refresh_is_wanted(void)
{
	return !dlist_is_empty(&kept);
}

bool
wf_refresh_write(void)
{
	bool		all = true;
	dlist_iter	it;

	dlist_foreach(it, &kept)
	{
		Kept	   *entry = dlist_container(Kept, node, it.cur);

		/* dropped meanwhile: it stays dropped */
		if (wf_store_hold_secret(&entry->tenant_id, entry->name, &entry->is_locked))
			wf_store_set_secret(&entry->tenant_id, entry->name, entry->value, entry->len);
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
