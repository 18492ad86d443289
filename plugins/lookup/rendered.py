# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: rendered
short_description: Rendered templates as text
version_added: "0.1.0"
author: twelvefactor.deploy contributors (@twelvefactor)
description:
  - Renders template files of the role or the play and returns their texts.
  - Differs from P(ansible.builtin.template#lookup) in what it costs. That one copies every variable of the host
    for each file, and with them the template engine itself (ansible-core 2.19 to 2.21), which is most of the
    controller's time where a role renders a dozen files for one module.
  - C(ansible_managed) is V(Ansible managed) unless it is set. There are no other variables about the file.
options:
  _terms:
    description: Files, relative to C(templates) of the role or of the play.
    type: list
    elements: string
    required: true
  each:
    description:
      - Variables for these files only, which win over those of the host.
      - Each file is rendered once for each element.
    type: list
    elements: dict
    default: [{}]
notes:
  - Use P(twelvefactor.deploy.rendered#lookup) with C(query) and give C(zip) the result, rather than fill a
    dictionary in a loop. There an undefined variable would only leave its file out.
"""

EXAMPLES = r"""
- name: Configure nginx
  twelvefactor.deploy.nginx_config:
    name: shop
    files:
      conf.d/shop.conf: "{{ lookup('twelvefactor.deploy.rendered', 'etc/nginx/conf.d/shop.conf.j2') }}"

- name: Serve every site
  twelvefactor.deploy.nginx_config:
    name: sites
    files: >-
      {{ dict(paths | zip(query('twelvefactor.deploy.rendered', 'site.conf.j2', each=sites))) }}
"""

RETURN = r"""
_raw:
  description: The text of each file, for each element of O(each), in their order.
  type: list
  elements: str
"""

import collections
import pathlib
import typing

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible.template import trust_as_template

MANAGED = {"ansible_managed": "Ansible managed"}


class LookupModule(LookupBase):  # type: ignore[misc]
    def run(
        self,
        terms: list[str],
        variables: typing.MutableMapping[str, typing.Any] | None = None,
        **kwargs: typing.Any,
    ) -> list[str]:
        self.set_options(var_options=variables, direct=kwargs)
        layers = [
            collections.ChainMap(dict(own), variables or {}, MANAGED)
            for own in self.get_option("each")
        ]
        return [self._render(term, layer) for term in terms for layer in layers]

    def _render(self, term: str, variables: typing.Mapping[str, typing.Any]) -> str:
        found = self.find_file_in_search_path(variables, "templates", term)
        if not found:
            raise AnsibleError(f"Found no template file {term!r} in the role or the play.")
        # What a template includes is looked for beside it, then where Ansible looks for templates.
        places = [pathlib.Path(place) for place in variables.get("ansible_search_path", [])]
        searchpath = [
            pathlib.Path(found).parent,
            *(p for q in places for p in (q / "templates", q)),
        ]
        templar = self._templar.copy_with_new_env(
            available_variables=variables, searchpath=[str(place) for place in searchpath]
        )
        text = trust_as_template(self._loader.get_text_file_contents(found))
        return typing.cast(str, templar.template(text, escape_backslashes=False))
