/*
 * webhook_routes.c: which webhook a request is for.
 *
 * A backend keeps the installed webhooks of the tenants that it was asked for, read and compiled, until the store's generation
 * moves. Who uses them holds them: what a run does may have the cache emptied meanwhile.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "engine/webhook.h"
#include "utils/memutils.h"

#define MOST_TENANTS 64

static WebhookRoutes *kept[MOST_TENANTS];

static int
order(const void *a, const void *b)
{
	return wf_hook_path_compare(((const WebhookRoute *) a)->incoming.pattern, ((const WebhookRoute *) b)->incoming.pattern);
}

static void
read_routes(WebhookRoutes *routes)
{
	List	   *rows = wf_store_triggers_of_type(&routes->tenant_id, "trigger.webhook");
	ListCell   *cell;

	routes->routes = palloc(sizeof(WebhookRoute) * Max(list_length(rows), 1));
	foreach(cell, rows)
	{
		WebhookRoute *route = &routes->routes[routes->n];

		route->row = lfirst(cell);
		if (wf_block_incoming_read(route->row->config, &route->incoming))
			routes->n++;
	}
	qsort(routes->routes, routes->n, sizeof(WebhookRoute), order);
}

static void
free_if_unused(WebhookRoutes *routes)
{
	if (routes->generation == 0 && routes->n_users == 0)
		MemoryContextDelete(routes->memory);
}

/* A copy of those of the tenant, of one user. */
static WebhookRoutes *
load(const pg_uuid_t *tenant_id)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "workflow webhooks", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(memory);
	WebhookRoutes *routes = palloc0(sizeof(WebhookRoutes));

	routes->memory = memory;
	routes->tenant_id = *tenant_id;
	routes->n_users = 1;
	read_routes(routes);
	MemoryContextSwitchTo(old);
	return routes;
}

WebhookRoutes *
wf_webhook_routes(const pg_uuid_t *tenant_id)
{
	uint64		generation = wf_store_generation();
	int			place = hash_bytes(tenant_id->data, UUID_LEN) % MOST_TENANTS;
	WebhookRoutes *routes = kept[place];

	if (routes != NULL && routes->generation == generation &&
		memcmp(&routes->tenant_id, tenant_id, sizeof(*tenant_id)) == 0)
	{
		routes->n_users++;
		return routes;
	}
	if (routes != NULL)
	{
		kept[place] = NULL;
		routes->generation = 0;
		free_if_unused(routes);
	}
	routes = load(tenant_id);
	MemoryContextSetParent(routes->memory, TopMemoryContext);
	if (wf_store_may_cache(generation) && kept[place] == NULL)
	{
		routes->generation = generation;
		kept[place] = routes;
	}
	return routes;
}

void
wf_webhook_release(WebhookRoutes *routes)
{
	routes->n_users--;
	free_if_unused(routes);
}

const WebhookRoute *
wf_webhook_match(const WebhookRoutes *routes, const char *method, const WfHookPath *path, Jsonb **params)
{
	for (int i = 0; i < routes->n; i++)
	{
		const WebhookRoute *route = &routes->routes[i];

		if (strcmp(route->incoming.method, method) == 0 && wf_hook_path_match(route->incoming.pattern, path, 1, NULL))
		{
			(void) wf_hook_path_match(route->incoming.pattern, path, 1, params);
			return route;
		}
	}
	return NULL;
}

/* Webhooks of some tenant that are kept, the same for a number as long as these are; NULL: none are. */
static const WebhookRoutes *
any_kept(uint32 number)
{
	for (int i = 0; i < MOST_TENANTS; i++)
	{
		const WebhookRoutes *routes = kept[(number + i) % MOST_TENANTS];

		if (routes != NULL && routes->n > 0)
			return routes;
	}
	return NULL;
}

const WebhookRoute *
wf_webhook_decoy(const WebhookRoutes *routes, const char *path)
{
	uint32		number = path == NULL ? 0 : hash_bytes((const unsigned char *) path, (int) strlen(path));

	if (routes == NULL || routes->n == 0)
		routes = any_kept(number);
	return routes == NULL ? NULL : &routes->routes[number % routes->n];
}
