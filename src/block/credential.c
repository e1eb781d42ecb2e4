/*
 * credential.c: credentials that nodes name: `auth` is {"credential": "name"}.
 *
 * The name stands in the definition and is no template: who saves a workflow says which credential goes where, data do not. What
 * is missing is a warning when a workflow is saved, since it may be set later; a type that is not for the block is an error.
 */
#include "postgres.h"

#include "block/block.h"
#include "block/support.h"

const WfCredentialType *(*wf_block_credential_type) (const char *name) = NULL;

char *
wf_block_credential_of(const WfNode *node)
{
	JsonbValue	auth;
	JsonbValue	name;

	if (!wf_block_fixed(node, "auth", &auth) || !wf_json_is_object(&auth) || !wf_json_field(&auth, "credential", &name) ||
		!wf_json_is_string(&name) || wf_block_is_template(&name))
		return NULL;
	return wf_json_cstring(&name);
}

void
wf_block_look_for_credential(const WfNode *node, WfCredentialUse use, WfDiagnostics *found)
{
	const char *name = wf_block_credential_of(node);
	const WfCredentialType *type;

	if (name == NULL || wf_block_credential_type == NULL)
		return;
	type = wf_block_credential_type(name);
	if (type == NULL)
		wf_diagnostics_add(found, WF_SEVERITY_WARNING, WF_ERRCODE_SECRET_MISSING, node->id, psprintf("%s.config.auth", node->path),
						   "wf_set_credential() sets it.", "credential \"%s\" does not exist", name);
	else if ((type->uses & use) == 0)
		wf_block_report(node, found, "auth.credential", psprintf("Its type may be %s.", wf_credential_types(use)),
						"credential \"%s\" is of type \"%s\", which is not for %s", name, type->name, wf_credential_use_name(use));
}
