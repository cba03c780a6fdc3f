"""What the chart makes of values: objects that fit their schemas and each other, settings that the server takes."""

import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from bothends.settings import Settings
from tests.support.paths import ROOT

from .charts import CHART, EVERYTHING, VARIANTS, WHOLE, Helm, Refused, Values, is_applied
from .objects import OF_THE_OPERATOR, Resource, container, environment, of_kind, pod, the

README = (CHART / "README.md").read_text(encoding="utf-8")
EXAMPLES = [yaml.safe_load(block.partition("```")[0]) for block in README.split("```yaml\n")[1:]]
FROM_AN_IMAGE: Values = {"models": [{"volume": {"image": {"reference": "medical:1", "pullPolicy": "Always"}}}]}
FIRST_VERSION = "1.30"
"""Version of Kubernetes from which on a pod may sleep before it stops without its image's help."""
BY_EACH_VERSION: list[Values] = [{}, EVERYTHING, *VARIANTS.values()]
"""What Kubernetes 1.30 takes as well; volumes of images it didn't know."""
ALL: list[Values] = [*BY_EACH_VERSION, {**EVERYTHING, "gpu": {"enabled": True}}, FROM_AN_IMAGE, *EXAMPLES]
EACH = [
    pytest.param(values, marks=[] if values in (EVERYTHING, FROM_AN_IMAGE) else [pytest.mark.slow], id=str(index))
    for index, values in enumerate(ALL)
]
"""All, of which plain runs take those that have most objects."""
NO_CLAIM = {"claimName": "a"}


def settings(resources: list[Resource]) -> Settings:
    """Settings that the server finds in its container."""
    ours = {name: value for name, value in environment(resources).items() if name.startswith("BOTHENDS_")}
    return Settings.load({}, ours)


def everything(helm: Helm, values: Values) -> list[Resource]:
    """All objects, those of `helm test` too."""
    return [
        made
        for name, text in helm.template(values).items()
        if name.endswith(".yaml")
        for made in yaml.safe_load_all(text)
        if made
    ]


@pytest.mark.parametrize("values", EACH)
def test_all_objects_fit_the_schemas(helm: Helm, values: Values) -> None:
    """Kubernetes' published schemas, strictly; of the operator's kinds they know nothing."""
    import kubernetes_validate  # which takes more than a second: not in each worker

    made = everything(helm, values)
    assert the(made, "Pod")["metadata"]["annotations"]["helm.sh/hook"] == "test"
    for version in [FIRST_VERSION] * (values in BY_EACH_VERSION) + [kubernetes_validate.latest_version()]:
        for resource in made:
            if resource["kind"] not in OF_THE_OPERATOR:
                kubernetes_validate.validate(dict(resource), version, strict=True)


@pytest.mark.parametrize("values", EACH)
def test_helm_has_nothing_to_say_but_that_there_is_no_icon(helm: Helm, values: Values) -> None:
    assert [found["error"] for found in helm.ask("lint", values=values)] == ["icon is recommended"]


@pytest.mark.parametrize("values", EACH)
def test_selectors_find_the_pods_and_never_the_one_that_tests(helm: Helm, values: Values) -> None:
    made = everything(helm, values)
    labels = the(made, "Deployment")["spec"]["template"]["metadata"]["labels"].items()
    tester = the(made, "Pod")["metadata"]["labels"].items()
    selectors = [
        *(service["spec"]["selector"] for service in of_kind(made, "Service")),
        *(policy["spec"]["podSelector"]["matchLabels"] for policy in of_kind(made, "NetworkPolicy")),
        *(the(made, kind)["spec"]["selector"]["matchLabels"] for kind in ("Deployment", "PodDisruptionBudget")),
        *(spread["labelSelector"]["matchLabels"] for spread in pod(made)["topologySpreadConstraints"]),
    ]
    assert all(selector.items() <= labels and not selector.items() <= tester for selector in selectors)


def test_defaults_leave_out_what_not_every_cluster_has(helm: Helm) -> None:
    """As they stand they make no object of an operator's kind, and ask for no adapter; the number of pods is fixed."""
    by_default = helm.objects({})
    missing = {"ConfigMap", "HorizontalPodAutoscaler", "PrometheusRule", "ServiceMonitor"}
    assert {one["kind"] for one in by_default} == {one["kind"] for one in helm.variant("cpu")} - missing
    assert the(by_default, "Deployment")["spec"]["replicas"] == 2


def test_each_object_has_a_name_of_its_own_in_the_one_namespace(resources: list[Resource]) -> None:
    names = [(resource["kind"], resource["metadata"]["name"]) for resource in resources]
    assert len(names) == len(set(names))
    assert {resource["metadata"].get("namespace", "bothends") for resource in resources} == {"bothends"}


def test_two_releases_share_a_namespace(helm: Helm) -> None:
    """No object of one has the name of one of the other, and neither's selectors find the other's pods."""
    one, other = (helm.objects(WHOLE, release=release) for release in ("search", "bothends-2"))
    assert {(made["kind"], made["metadata"]["name"]) for made in one}.isdisjoint(
        (made["kind"], made["metadata"]["name"]) for made in other
    )
    labels = the(one, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert not the(other, "Deployment")["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_a_long_name_is_cut_so_that_every_services_fits(helm: Helm) -> None:
    names = [made["metadata"]["name"] for made in helm.objects(WHOLE, release="r" * 53)]
    assert max(map(len, names)) <= 63


def test_settings_arrive_as_the_server_reads_them(helm: Helm) -> None:
    """Large numbers too, which Helm would write as 4.194304e+06, and lists; null takes a default away."""
    chosen = {"max_message_bytes": 4194304, "model_alias": ["a", "b"], "drain_s": 2.5, "age_s": None}
    found = settings(helm.objects({"settings": {**chosen, "http_api": False, "precision": "int8"}}))
    assert (found.max_message_bytes, found.model_alias, found.drain_s) == (4194304, "a,b", 2.5)
    assert (found.http_api, found.precision, found.age_s) == (False, "int8", 0)


@pytest.mark.parametrize(
    ("models", "bundle", "mounts"),
    [
        ([], None, {}),
        ([{"name": "english"}], "english=", {}),
        ([{"volume": {"persistentVolumeClaim": NO_CLAIM}}], "/bundle", {"bundle": "/bundle"}),
        ([{"volume": {"persistentVolumeClaim": NO_CLAIM}, "path": "b/"}], "/bundle/b", {"bundle": "/bundle"}),
        (FROM_AN_IMAGE["models"], "/bundle", {"bundle": "/bundle"}),
        (
            EVERYTHING["models"],
            "english=,old=/bundles/old/infersent?max_batch_tokens=2097152&precision=bf16,older=/bundles/old/a/b,"
            "Medical_2=/bundles/Medical_2",
            {"bundle-1": "/bundles/old", "bundle-3": "/bundles/Medical_2"},
        ),
    ],
)
def test_models_stand_where_the_server_looks(
    helm: Helm, models: list[Values], bundle: str | None, mounts: dict[str, str]
) -> None:
    """A volume that two models share is mounted once."""
    made = helm.objects({"models": models})
    assert environment(made).get("BOTHENDS_BUNDLE") == bundle
    assert {mount["name"]: mount["mountPath"] for mount in container(made).get("volumeMounts", [])} == mounts
    assert {volume["name"] for volume in pod(made).get("volumes", [])} == set(mounts)
    assert all(mount["readOnly"] for mount in container(made).get("volumeMounts", []))
    assert [one.name for one in settings(made).bundles] == [one["name"] for one in models if "name" in one]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"replicas": 3}, "additional properties 'replicas' not allowed"),
        ({"settings": {"precison": "int8"}}, "additional properties 'precison' not allowed"),
        ({"settings": {"port": 1}}, "additional properties 'port' not allowed"),
        ({"models": [{"name": "a", "settings": {"workers": 1}}]}, "additional properties 'workers' not allowed"),
        ({"models": [{"name": "a"}, {}]}, "each of several models needs a name"),
        ({"models": [{"settings": {"precision": "int8"}}]}, "settings of a model need its name"),
        ({"models": [{"name": "a", "path": "b"}]}, "a path is one in a volume"),
        ({"image": {"digest": "latest"}}, "at '/image/digest'"),
        ({"tracing": {"endpoint": "http://collector"}}, "at '/tracing/endpoint'"),
        ({"apiKeys": {"existingSecret": "a", "inline": "b"}}, "existingSecret and inline are two files of keys"),
        ({"tls": {"clientCA": {"enabled": True}}}, "the server has none itself without existingSecret"),
        ({"autoscaling": {"enabled": True, "minReplicas": 11}}, "minReplicas is more than maxReplicas"),
        ({"autoscaling": {"enabled": True, "queueTokens": 0, "cpuUtilization": 0}}, "no metric says how many pods"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_sent(helm: Helm, values: Values, message: str) -> None:
    with pytest.raises(Refused, match=message):
        helm.objects(values)


def test_a_pod_has_the_time_that_its_drain_takes(helm: Helm) -> None:
    """The time to stop follows the drain."""
    made = [helm.objects({"settings": {"drain_s": drain_s}}) for drain_s in (30, 300.5, 0, None)]
    assert [pod(one)["terminationGracePeriodSeconds"] for one in made] == [75, 346, 45, 75]


def test_who_lists_nobody_lets_nobody_in(helm: Helm) -> None:
    """To Kubernetes a rule without peers is one for everybody, so there is none."""
    further = [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]
    for extra in ([], further):
        made = helm.objects({"networkPolicy": {"ingressFrom": [], "extraIngress": extra}})
        policy = the(made, "NetworkPolicy")["spec"]
        assert "Ingress" in policy["policyTypes"]
        assert policy["ingress"] == extra


def test_inline_keys_are_the_file_that_the_server_reads(helm: Helm) -> None:
    keys = '[keys.search]\nsha256 = "0f1e"\n'
    made = helm.objects({"apiKeys": {"inline": keys, "key": "ours.toml"}})
    secret = the(made, "Secret")
    assert secret["stringData"] == {"ours.toml": keys}
    assert pod(made)["volumes"] == [{"name": "keys", "secret": {"secretName": secret["metadata"]["name"]}}]
    assert environment(made)["BOTHENDS_API_KEYS"] == "/keys/ours.toml"


def test_alerts_lead_to_a_page_of_ones_own(helm: Helm) -> None:
    rules = the(helm.objects(EVERYTHING), "PrometheusRule")["spec"]["groups"]
    pages = [rule["annotations"]["runbook_url"] for group in rules for rule in group["rules"] if "alert" in rule]
    assert pages
    assert all(page.startswith("https://runbooks.example/b#bothends") for page in pages)


def test_what_is_everybodys_own_is_passed_on(helm: Helm) -> None:
    """Values that are a part of an object as it stands, under the name that Kubernetes has for it."""
    made = helm.objects(EVERYTHING)
    asked: dict[str, Any] = {**EVERYTHING}
    for name in ("nodeSelector", "tolerations", "affinity", "priorityClassName", "runtimeClassName", "initContainers"):
        assert pod(made)[name] == asked[name]
    first, beside = pod(made)["containers"]
    assert beside == asked["extraContainers"][0]
    assert first["args"] == ["serve", *asked["extraArgs"]]
    assert first["image"] == f"registry.example/bothends@{asked['image']['digest']}"
    assert (first["env"][-1], first["envFrom"]) == (asked["extraEnv"][0], asked["extraEnvFrom"])
    assert asked["extraVolumes"][0] in pod(made)["volumes"]
    assert asked["extraVolumeMounts"][0] in first["volumeMounts"]
    template = the(made, "Deployment")["spec"]["template"]["metadata"]
    assert template["annotations"] == {"g": "h"}
    assert template["labels"].items() >= {"i": "j", "team": "search"}.items()
    assert "bothends-more" in {one["metadata"]["name"] for one in of_kind(made, "ConfigMap")}


def test_what_is_packed_holds_the_stacks_own_rules_and_dashboards(helm: Helm, tmp_path: Path) -> None:
    """Files of the package are those of deploy/prometheus and deploy/grafana, which the chart's folder links to."""
    with tarfile.open(helm.ask("package", folder=str(tmp_path))) as packed:
        names = {member.name.removeprefix("bothends/"): member for member in packed.getmembers()}
        for ours, source in (("dashboards", "grafana/dashboards/*.json"), ("rules", "prometheus/rules/*.yml")):
            files = {f"files/{ours}/{file.name}": file for file in (ROOT / "deploy").glob(source)}
            assert {name for name in names if name.startswith(f"files/{ours}/")} == set(files)
            for name, file in files.items():
                held = packed.extractfile(names[name])
                assert held is not None
                assert held.read() == file.read_bytes()
    assert {"Chart.yaml", "values.yaml", "values.schema.json", "README.md", "templates/NOTES.txt"} <= set(names)


@pytest.mark.parametrize(
    ("values", "said", "not_said"),
    [
        (
            {},
            ["The image is bothends:", "No API keys", "in plain", "helm --namespace bothends test bothends"],
            ["LoadBalancer", "autoscaler"],
        ),
        (
            EVERYTHING,
            ["4 model(s) of yours", "https://embeddings.bothends:80", "LoadBalancer"],
            ["The image is", "No API", "in plain"],
        ),
        ({"autoscaling": {"enabled": True}}, ["prometheus-adapter has to offer", "No ServiceMonitor"], []),
    ],
)
def test_notes_say_what_is_missing(helm: Helm, values: Values, said: list[str], not_said: list[str]) -> None:
    notes = helm.template(values)["NOTES.txt"]
    assert not is_applied("NOTES.txt")
    assert [words for words in said if words not in notes] == []
    assert [words for words in not_said if words in notes] == []
