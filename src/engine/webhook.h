/*
 * webhook.h: what the files that receive webhooks share. Private to this room.
 */
#ifndef WF_ENGINE_WEBHOOK_H
#define WF_ENGINE_WEBHOOK_H

#include "block/incoming.h"
#include "engine/engine.h"
#include "hook/auth.h"

/* A webhook that is installed. */
typedef struct WebhookRoute
{
	const WfTriggerRow *row;
	WfIncoming	incoming;
} WebhookRoute;

/* Those of a tenant, in the order in which they are asked. Never changes. */
typedef struct WebhookRoutes
{
	pg_uuid_t	tenant_id;
	uint64		generation;		/* 0: not in the cache any more */
	int			n_users;
	int			n;
	WebhookRoute *routes;
	MemoryContext memory;		/* owns all of this */
} WebhookRoutes;

/* -- webhook_routes.c -- */

/* The caller holds them until wf_webhook_release. Needs an SPI connection. */
extern WebhookRoutes *wf_webhook_routes(const pg_uuid_t *tenant_id);
extern void wf_webhook_release(WebhookRoutes *routes);
/* The one that is meant; its parameters are in *params. NULL: none is. */
extern const WebhookRoute *wf_webhook_match(const WebhookRoutes *routes, const char *method, const WfHookPath *path,
											Jsonb **params);
/* Another one, the same for a path each time: of the tenant, or, when it has none (or `routes` is NULL: there is no tenant), of
 * one that this backend knows; NULL: it knows none. Only to be looked at. `path` may be NULL. */
extern const WebhookRoute *wf_webhook_decoy(const WebhookRoutes *routes, const char *path);

/* -- webhook_auth.c -- */

/* Is the request from whom the trigger's auth says? Throws what opening its secrets throws: WF013, 55000, XX001; 42501 when
 * the version's owner may not use secrets. `in` has all but the auth. *secret_header: the header that has the sender's secret, in
 * small letters; NULL: none has. Needs an SPI connection. */
extern void wf_webhook_check(const WebhookRoute *route, WfHookCheck *in, WfHookVerdict *out, const char **secret_header);
/* Does what such a check costs, for a request that is refused anyway. */
extern void wf_webhook_pretend(const WebhookRoute *decoy, WfHookCheck *in);

#endif
