"""The rules of an ImagePullJob: one image, and the template."""

from daemon.api.fields import Field
from daemon.api.imagepulljob import ImagePullJob, JobTemplate
from daemon.api.rules.metadata import read_metadata
from daemon.api.rules.template import TEMPLATE_FIELDS, read_image, read_template


def read_image_pull_job(document: Field) -> ImagePullJob:
    """Read a job; its value means something only if no error was found."""
    document.is_object(("apiVersion", "kind", "metadata", "spec", "status"))
    metadata = read_metadata(document, is_namespaced=True)
    spec = document.child("spec")
    image, template = "", JobTemplate()
    if not spec.is_present:
        spec.required()
    elif spec.is_object(("image", *TEMPLATE_FIELDS)):
        image = _image(spec.child("image"))
        template = read_template(spec, is_list=False)
    return ImagePullJob(
        api_version=document.child("apiVersion").string(""),
        name=metadata.name,
        namespace=metadata.namespace,
        uid=metadata.uid,
        generation=metadata.generation,
        image=image,
        template=template,
    )


def _image(field: Field) -> str:
    return "" if read_image(field) is None else str(field.value)
