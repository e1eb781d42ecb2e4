/*
 * policies.c: where requests may go, compiled: the installation's lists (workflow.http_allow, workflow.http_deny), which a
 * tenant may narrow.
 *
 * A list that is malformed closes everything it applies to, until it is mended: what it was to forbid is not known.
 */
#include "postgres.h"

#include "base/settings.h"
#include "dispatch/flight.h"
#include "utils/memutils.h"

static MemoryContext policies_memory = NULL;
static WfNetPolicy *policy = NULL;
static char *policy_problem = NULL;
static char *allow = NULL;
static char *deny = NULL;

static bool
is_current(void)
{
	return policies_memory != NULL && strcmp(allow, wf_setting_http_allow) == 0 && strcmp(deny, wf_setting_http_deny) == 0;
}

void
wf_policies_refresh(void)
{
	MemoryContext old;
	WfNetRules	rules = {0};

	if (is_current())
		return;
	if (policies_memory != NULL)
		MemoryContextDelete(policies_memory);
	policies_memory = AllocSetContextCreate(TopMemoryContext, "workflow policies", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(policies_memory);
	rules.allow = allow = pstrdup(wf_setting_http_allow);
	rules.deny = deny = pstrdup(wf_setting_http_deny);
	policy_problem = NULL;
	policy = wf_net_policy_create(&rules, &policy_problem);
	if (policy == NULL)
		ereport(LOG, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					  errmsg("no request can be sent: %s", policy_problem),
					  errhint("Mend \"workflow.http_allow\" or \"workflow.http_deny\".")));
	MemoryContextSwitchTo(old);
}

const WfNetPolicy *
wf_policies_of(const pg_uuid_t *tenant_id, char **problem)
{
	wf_policies_refresh();
	*problem = policy_problem;
	return policy;
}
