/*
 * init.c: what the engine sets up when the library is loaded.
 */
#include "postgres.h"

#include "engine/answer.h"
#include "engine/custom.h"
#include "engine/engine.h"
#include "engine/trigger_row.h"
#include "store/secret.h"

static bool
has_secret(const char *name)
{
	WfTenant	tenant;

	return wf_store_current_tenant(&tenant, NULL) && wf_store_has_secret(&tenant.tenant_id, name);
}

static const WfCredentialType *
credential_type(const char *name)
{
	WfTenant	tenant;

	return wf_store_current_tenant(&tenant, NULL) ? wf_store_credential_type(&tenant.tenant_id, name) : NULL;
}

void
wf_engine_init(void)
{
	wf_block_has_secret = has_secret;
	wf_block_credential_type = credential_type;
	wf_custom_init();
	wf_trigger_row_init();
	wf_answer_init();
}
