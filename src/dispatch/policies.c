/*
 * policies.c: where requests may go, compiled: the installation's lists (workflow.http_allow, workflow.http_deny), which a
 * tenant may narrow (wf_set_http_policy).
 *
 * Compiled once, and again when a setting or what the store says has changed. A list of the installation that is malformed
 * closes everything until it is mended: what it was to forbid is not known. Those of tenants are checked when they are set.
 */
#include "postgres.h"

#include "base/settings.h"
#include "dispatch/dispatch.h"
#include "dispatch/flight.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

typedef struct Policy
{
	pg_uuid_t	tenant_id;		/* the key */
	char	   *allow;			/* the tenant's lists; or NULL */
	char	   *deny;
	WfNetPolicy *compiled;		/* NULL: not yet */
} Policy;

static MemoryContext tenants_memory = NULL; /* of the table, with the lists and what is compiled of them */
static HTAB *tenants = NULL;
static MemoryContext compiled_memory = NULL;
static WfNetPolicy *common = NULL;	/* of all tenants without lists */
static char *common_problem = NULL;
static char *allow = NULL;
static char *deny = NULL;

char *
wf_dispatch_rules_problem(const char *rules_allow, const char *rules_deny)
{
	WfNetRules	rules = {.tenant_allow = rules_allow, .tenant_deny = rules_deny};
	char	   *problem = NULL;

	return wf_net_policy_create(&rules, &problem) == NULL ? problem : NULL;
}

/* Compiles what is common to all, when a setting has changed; what is compiled of tenants is forgotten. */
static void
refresh(void)
{
	MemoryContext memory;
	MemoryContext old;
	WfNetRules	rules = {0};
	HASH_SEQ_STATUS seq;
	Policy	   *policy;
	WfNetPolicy *created;
	char	   *problem = NULL;

	if (compiled_memory != NULL && strcmp(allow, wf_setting_http_allow) == 0 && strcmp(deny, wf_setting_http_deny) == 0)
		return;
	memory = AllocSetContextCreate(CurrentMemoryContext, "workflow policies", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(memory);
	rules.allow = pstrdup(wf_setting_http_allow);
	rules.deny = pstrdup(wf_setting_http_deny);
	created = wf_net_policy_create(&rules, &problem);
	MemoryContextSwitchTo(old);
	/* nothing is thrown from here on */
	MemoryContextSetParent(memory, TopMemoryContext);
	if (compiled_memory != NULL)
		MemoryContextDelete(compiled_memory);
	compiled_memory = memory;
	allow = unconstify(char *, rules.allow);
	deny = unconstify(char *, rules.deny);
	common = created;
	common_problem = problem;
	if (tenants != NULL)
	{
		hash_seq_init(&seq, tenants);
		while ((policy = hash_seq_search(&seq)) != NULL)
			policy->compiled = NULL;
	}
	if (common == NULL)
		ereport(LOG, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("no request can be sent: %s", common_problem),
					  errhint("Mend \"workflow.http_allow\" or \"workflow.http_deny\".")));
}

void
wf_policies_read(void)
{
	List	   *rows = wf_store_http_policies();
	HASHCTL		control = {.keysize = sizeof(pg_uuid_t), .entrysize = sizeof(Policy)};
	MemoryContext old;
	ListCell   *cell;
	bool		found;

	if (tenants_memory != NULL)
		MemoryContextDelete(tenants_memory);
	tenants_memory = NULL;
	tenants = NULL;
	tenants_memory = AllocSetContextCreate(TopMemoryContext, "workflow policies of tenants", ALLOCSET_SMALL_SIZES);
	control.hcxt = tenants_memory;
	tenants = hash_create("workflow policies of tenants", 16, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	old = MemoryContextSwitchTo(tenants_memory);
	foreach(cell, rows)
	{
		const WfHttpPolicyRow *row = lfirst(cell);
		Policy	   *policy = hash_search(tenants, &row->tenant_id, HASH_ENTER, &found);

		policy->allow = row->allow == NULL ? NULL : pstrdup(row->allow);
		policy->deny = row->deny == NULL ? NULL : pstrdup(row->deny);
		policy->compiled = NULL;
	}
	MemoryContextSwitchTo(old);
}

const WfNetPolicy *
wf_policies_of(const pg_uuid_t *tenant_id, char **problem)
{
	Policy	   *policy = tenants == NULL ? NULL : hash_search(tenants, tenant_id, HASH_FIND, NULL);
	MemoryContext old;

	refresh();
	*problem = common_problem;
	if (common == NULL || policy == NULL)
		return common;
	if (policy->compiled == NULL)
	{
		WfNetRules	rules = {.allow = allow, .deny = deny, .tenant_allow = policy->allow, .tenant_deny = policy->deny};

		/* which goes when the lists are read again: for each request that is performed at once */
		old = MemoryContextSwitchTo(tenants_memory);
		policy->compiled = wf_net_policy_create(&rules, problem);
		MemoryContextSwitchTo(old);
	}
	return policy->compiled;
}
