"""Profiles: ADVERIFY_PROFILE=nightly fuzzes ten times as long, ADVERIFY_PROFILE=quick a quarter."""

import os

from hypothesis import settings

settings.register_profile("adverify-default", max_examples=60)
settings.register_profile("adverify-nightly", max_examples=1000)
settings.register_profile("adverify-quick", max_examples=25)
settings.load_profile(f"adverify-{os.environ.get('ADVERIFY_PROFILE', 'default')}")
